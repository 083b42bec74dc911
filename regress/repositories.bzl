"""regress_repositories(): what a WORKSPACE needs to use this repository.

    load("@regress//regress:repositories.bzl", "regress_repositories")

    regress_repositories()

    load("@pypi//:repositories.bzl", "pypi_repositories")

    pypi_repositories()

With bzlmod, MODULE.bazel does the same.
"""

load("//tools/python:toolchain.bzl", "python_repository")
load("//tools/python:wheels.bzl", "lock_repository", "other_locks")
load("//tools/stubs:repositories.bzl", "stub_repositories")

# buildifier: disable=unnamed-macro
def regress_repositories(lock = None):
    """Declares the Python toolchain and the wheels.

    The repositories are `python`, `pypi` and, from that, one for each
    distribution, as `pypi_torch`. One that the workspace has declared before
    is taken instead: of the wheels, all that is asked for is a py_library
    `@pypi_torch//:lib`.

    Args:
      lock: label of a lock with the wheels to use instead of this project's.
    """
    stub_repositories()
    if not native.existing_rule("python"):
        python_repository(name = "python")
    native.register_toolchains("@python//:toolchain")
    lock_repository(
        name = "pypi",
        # Another lock has no other channels.
        channels = {} if lock else other_locks(),
        lock = lock or str(Label("//:requirements_lock.txt")),
    )
