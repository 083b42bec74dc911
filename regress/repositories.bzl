"""regress_repositories(): the repositories that a WORKSPACE needs for regress.

    load("@regress//regress:repositories.bzl", "regress_repositories")

    regress_repositories()

    load("@pypi//:repositories.bzl", "pypi_repositories")

    pypi_repositories()

With bzlmod, MODULE.bazel does the same.
"""

load("//tools/python:toolchain.bzl", "python_repository")
load("//tools/python:wheels.bzl", "lock_repository", "other_locks")
load("//tools/rules:repository.bzl", "rules_repository")
load("//tools/stubs:repositories.bzl", "stub_repositories")

# buildifier: disable=unnamed-macro
def regress_repositories(lock = None, additions = []):
    """Declares the Python toolchain and the wheels.

    The repositories are `python`, `pypi` and, derived from `pypi`, one per
    distribution, such as `pypi_torch`. A repository that the workspace has
    already declared takes precedence. The repository of a distribution only
    needs to provide a py_library, such as `@pypi_torch//:lib`.

    Args:
      lock: label of a lock file whose wheels to use instead of this project's.
      additions: labels of lock files with more wheels, which that lock has not.
    """
    stub_repositories()
    rules_repository(
        name = "regress_rules",
        has_modules = False,
    )
    if not native.existing_rule("python"):
        python_repository(name = "python")
    native.register_toolchains("@python//:toolchain")
    lock_repository(
        name = "pypi",
        additions = additions,
        # The other channels belong to this project's lock.
        channels = {} if lock else other_locks(),
        lock = lock or str(Label("//:requirements_lock.txt")),
    )
