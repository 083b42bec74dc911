"""One external repository a distribution, fetched when a target needs it.

Every file is pinned by its SHA-256 in a lock file. A distribution `foo-bar` is
`@pypi_foo_bar//:lib`: one directory, with byte code, so that a test's runfiles
hold one link a distribution and not one a file. Where a channel has another
version of it, that label is the version of the channel that is built.
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

load("{wheels_bzl}", "declare_wheels")

_DISTRIBUTIONS = {distributions}

def pypi_repositories():
    declare_wheels(_DISTRIBUTIONS, {channels})

def locked_libraries(keys):
    return ["@pypi_%s//:lib" % key for key in keys if key in _DISTRIBUTIONS]
"""

_CHANNEL_BUILD = """\
alias(
    name = "lib",
    actual = select({actual}),
    visibility = ["//visibility:public"],
)
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
        channels = json.encode({
            channel: read_lock(ctx, lock)
            for lock, channel in ctx.attr.channels.items()
        }),
        distributions = json.encode(read_lock(ctx, ctx.attr.lock)),
        lock = ctx.attr.lock.name,
        wheels_bzl = _absolute(Label("//tools/python:wheels.bzl")),
    ))
    ctx.file("BUILD.bazel", "")

lock_repository = repository_rule(
    implementation = _lock_repository_impl,
    attrs = {
        "channels": attr.label_keyed_string_dict(
            allow_files = True,
            doc = "The lock of each other channel: what it has in place.",
        ),
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

def _channel_repository_impl(ctx):
    actual = {
        _absolute(Label("//tools/channels:is_" + channel)): (
            "@pypi_{}_{}//:lib".format(channel, ctx.attr.key)
        )
        for channel in ctx.attr.channels
    }
    actual["//conditions:default"] = "@pypi_dev_{}//:lib".format(ctx.attr.key)
    ctx.file("BUILD.bazel", _CHANNEL_BUILD.format(actual = actual))

_channel_repository = repository_rule(
    implementation = _channel_repository_impl,
    attrs = {
        "channels": attr.string_list(
            doc = "The channels, besides dev, that have a version of their own.",
            mandatory = True,
        ),
        "key": attr.string(
            doc = "The distribution's name in labels.",
            mandatory = True,
        ),
    },
    doc = "A distribution, in the version of the channel that is built.",
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

def declare_wheels(distributions, channels):
    """Declares a repository for each distribution.

    Args:
      distributions: by key, the requirement and the hashes of each.
      channels: by channel, the same of what it has in another version.
    """
    for channel, others in channels.items():
        for key in others:
            if key not in distributions:
                fail("channel {} has a lock with {}, which the other lock has not: add it to tools/python/requirements.in, and run tools/python/lock.py.".format(channel, key))
    for key, (requirement, hashes) in distributions.items():
        others = [channel for channel in channels if key in channels[channel]]
        wheel_repository(
            name = "pypi_" + ("dev_" if others else "") + key,
            hashes = hashes,
            requirement = requirement,
        )
        for channel in others:
            requirement, hashes = channels[channel][key]
            wheel_repository(
                name = "pypi_{}_{}".format(channel, key),
                hashes = hashes,
                requirement = requirement,
            )
        if others:
            _channel_repository(
                name = "pypi_" + key,
                channels = others,
                key = key,
            )
