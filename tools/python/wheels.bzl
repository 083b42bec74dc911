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
    data = ["site-packages"],
    imports = ["site-packages"],
    srcs_version = "PY3",
    visibility = ["//visibility:public"],
    deps = locked_libraries({deps}),
)
"""

_CHANNEL_BUILD = """\
alias(
    name = "lib",
    actual = select({actual}),
    visibility = ["//visibility:public"],
)
"""

def _run(ctx, script, args):
    """Runs a script with the standard library and pip, or says why not."""
    result = ctx.execute(
        [ctx.path(ctx.attr._python), "-I", ctx.path(script)] + args,
        timeout = 3600,
    )
    if result.return_code:
        fail(result.stderr.strip())
    return result.stdout

def _lock_repository_impl(ctx):
    locks = [ctx.path(ctx.attr.lock)] + [
        "{}={}".format(channel, ctx.path(lock))
        for lock, channel in ctx.attr.channels.items()
    ]
    ctx.file("repositories.bzl", _run(ctx, ctx.attr._script, locks))
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
        "_python": attr.label(default = "@python//:host_python"),
        "_script": attr.label(default = "//tools/python:lock_file.py"),
    },
    doc = "Reads a lock; its repositories.bzl declares each distribution.",
)

def _channel_repository_impl(ctx):
    actual = {
        "@regress//tools/channels:is_" + channel: "@pypi_{}_{}//:lib".format(
            channel,
            ctx.attr.key,
        )
        for channel in ctx.attr.channels
    }
    actual["//conditions:default"] = "@pypi_dev_{}//:lib".format(ctx.attr.key)
    ctx.file("BUILD.bazel", _CHANNEL_BUILD.format(actual = actual))

channel_repository = repository_rule(
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
        "_python": attr.label(default = "@python//:host_python"),
        "_script": attr.label(default = "//tools/python:wheel.py"),
    },
    doc = "One distribution, installed.",
)
