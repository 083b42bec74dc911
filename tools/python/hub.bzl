"""Wheels from the hub of the user's own pip.parse, in place of this project's."""

load(":image.bzl", "label_key")

_BUILD = """\
[alias(
    name = name,
    actual = "{actual}",
    visibility = ["//visibility:public"],
) for name in ["files", "lib"]]
"""

def _hub_wheel_repository_impl(ctx):
    ctx.file("BUILD.bazel", _BUILD.format(actual = ctx.attr.actual))

# The label is a string, because a repository rule that had it as a label would
# fetch the hub.
_hub_wheel_repository = repository_rule(
    implementation = _hub_wheel_repository_impl,
    attrs = {"actual": attr.string(mandatory = True)},
    doc = "A distribution of the hub.",
)

def _empty_repository_impl(ctx):
    ctx.file("BUILD.bazel", "")

_empty_repository = repository_rule(
    implementation = _empty_repository_impl,
    doc = "MODULE.bazel names it, and nothing loads it.",
)

def hub_repositories(ctx, lock, requirements):
    """Declares `pypi_<name>` for each distribution, as an alias into a hub.

    The hub's layout is rules_python's: `@hub//foo_bar` is distribution foo-bar.
    If the hub lacks one that a target needs, Bazel says so by that label.

    Args:
      ctx: of the module extension.
      lock: label of this project's lock, which has the names.
      requirements: label of a file of the hub.
    """
    hub = str(requirements).partition("//")[0]
    for line in ctx.read(lock).split("\n"):
        name, pin, _ = line.partition("==")
        if pin and not line.startswith((" ", "#")):
            key = label_key(name.partition("[")[0])
            _hub_wheel_repository(
                name = "pypi_" + key,
                actual = "{}//{}".format(hub, key),
            )
    _empty_repository(name = "pypi")
