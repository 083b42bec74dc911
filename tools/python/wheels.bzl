"""One external repository a distribution, fetched when a target needs it.

Every file is pinned by its SHA-256 in a lock file. A distribution `foo-bar` is
`@pypi_foo_bar//:lib`: one directory, with byte code, so that a test's runfiles
hold one link a distribution and not one a file.
"""

_BUILD = """\
load("@pypi//:repositories.bzl", "locked_libraries")

exports_files(["site-packages"])

py_library(
    name = "lib",
    # With the file whose changes Bazel notices.
    data = [
        "site-packages",
        "site-packages.sha256",
    ],
    imports = ["site-packages"],
    srcs_version = "PY3",
    visibility = ["//visibility:public"],
    deps = locked_libraries({deps}),
)
"""

_HOST_PYTHON = Label("@python//:host_python")
_LOCK_FILE = Label("//tools/python:lock_file.py")

_REPOSITORIES = """\
\"\"\"Every distribution in {lock}.\"\"\"

load("{wheels_bzl}", "wheel_repository")

_DISTRIBUTIONS = {distributions}

def pypi_repositories():
    for key, (requirement, hashes) in _DISTRIBUTIONS.items():
        wheel_repository(
            name = "pypi_" + key,
            hashes = hashes,
            requirement = requirement,
        )

def locked_libraries(keys):
    return ["@pypi_%s//:lib" % key for key in keys if key in _DISTRIBUTIONS]
"""

def _absolute(label):
    """Returns a label as a string that means the same in any repository."""
    text = str(label)
    return "@" + text if text.startswith("//") else text

def _run(ctx, script, args):
    """Runs a script with the standard library and pip, or says why not."""
    result = ctx.execute(
        [ctx.path(_HOST_PYTHON), "-I", ctx.path(script)] + args,
        timeout = 3600,
    )
    if result.return_code:
        fail(result.stderr.strip())
    return result.stdout

def read_lock(ctx, lock):
    """Returns, by key, the requirement and the hashes of each distribution.

    Args:
      ctx: of a repository rule or a module extension.
      lock: label of the lock.
    """
    return json.decode(_run(ctx, _LOCK_FILE, [ctx.path(lock)]))

def _lock_repository_impl(ctx):
    ctx.file("repositories.bzl", _REPOSITORIES.format(
        distributions = json.encode(read_lock(ctx, ctx.attr.lock)),
        lock = ctx.attr.lock.name,
        wheels_bzl = _absolute(Label("//tools/python:wheels.bzl")),
    ))
    ctx.file("BUILD.bazel", "")

lock_repository = repository_rule(
    implementation = _lock_repository_impl,
    attrs = {
        "lock": attr.label(
            allow_single_file = True,
            doc = "Pins with hashes, as pip takes them.",
            mandatory = True,
        ),
        # Whose changes are to be noticed.
        "_python": attr.label(default = _HOST_PYTHON),
        "_script": attr.label(default = _LOCK_FILE),
    },
    doc = "Reads a lock; its repositories.bzl declares each distribution.",
)

def _wheel_repository_impl(ctx):
    args = [ctx.attr.requirement, "site-packages"] + ctx.attr.hashes
    names = _run(ctx, ctx.attr._script, args).splitlines()
    ctx.file(
        "site-packages.sha256",
        _run(ctx, ctx.attr._tree_digest, ["site-packages"]),
    )
    ctx.file("BUILD.bazel", _BUILD.format(
        deps = [n.lower().replace("-", "_").replace(".", "_") for n in names],
    ))

wheel_repository = repository_rule(
    implementation = _wheel_repository_impl,
    attrs = {
        "hashes": attr.string_list(
            doc = "SHA-256 of each file that may be it.",
            mandatory = True,
        ),
        "requirement": attr.string(
            doc = "The pin, as `torch==2.13.0`.",
            mandatory = True,
        ),
        "_python": attr.label(default = _HOST_PYTHON),
        "_script": attr.label(default = "//tools/python:wheel.py"),
        "_tree_digest": attr.label(default = "//tools/python:tree_digest.py"),
    },
    doc = "One distribution, installed.",
)

def _missing_wheel_repository_impl(ctx):
    fail("{} has no distribution {}, which a target needs: add it there.".format(
        ctx.attr.lock,
        ctx.attr.key,
    ))

missing_wheel_repository = repository_rule(
    implementation = _missing_wheel_repository_impl,
    attrs = {
        "key": attr.string(mandatory = True),
        "lock": attr.string(mandatory = True),
    },
    doc = "One distribution that the lock does not have.",
)
