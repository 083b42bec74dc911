"""Stands in for rules_python's extensions, which need a network.

A hub and the repositories behind it have the layout that rules_python gives
them: `@hub//torch` is an alias of the py_library `:pkg` in the wheel's own
repository, with every file of the wheel, and with the libraries that it needs.
"""

_SPOKE = """\
load("@rules_python//python:py_library.bzl", "py_library")

package(default_visibility = ["//visibility:public"])

py_library(
    name = "pkg",
    srcs = glob(["site-packages/**/*.py"]),
    data = glob(
        ["site-packages/**"],
        exclude = ["**/* *", "**/*.py", "**/*.pyc"],
    ),
    imports = ["site-packages"],
    deps = {deps},
)
"""

_HUB = """\
package(default_visibility = ["//visibility:public"])

alias(
    name = "{name}",
    actual = ":pkg",
)

alias(
    name = "pkg",
    actual = "@{spoke}//:pkg",
)
"""

_TOOLCHAIN = """\
load("@rules_python//python:py_runtime.bzl", "py_runtime")
load("@rules_python//python:py_runtime_pair.bzl", "py_runtime_pair")

py_runtime(
    name = "runtime",
    interpreter_path = "{python}",
    python_version = "PY3",
)

py_runtime_pair(
    name = "runtime_pair",
    py3_runtime = ":runtime",
)

toolchain(
    name = "toolchain",
    toolchain = ":runtime_pair",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)
"""

_PYTHON = "REGRESS_PYTHON"

def _key(name):
    return name.lower().replace("-", "_").replace(".", "_")

def _spoke_impl(ctx):
    result = ctx.execute([
        ctx.os.environ[_PYTHON],
        "-I",
        ctx.path(Label("@resume//tools/python:wheel.py")),
        ctx.attr.requirement,
    ] + ctx.attr.hashes, timeout = 3600)
    if result.return_code:
        fail(result.stderr)
    by_extra = json.decode(ctx.read("needs.json"))

    # The lock does not say which extras it has. Nothing in this distribution is
    # of use without them, and no other one needs them.
    extras = by_extra if ctx.name.endswith("_cuda_toolkit") else [""]
    needs = [need for extra in extras for need in by_extra[extra]]
    ctx.file("BUILD.bazel", _SPOKE.format(deps = [
        "@{}//{}:pkg".format(ctx.attr.hub, key)
        for key in {_key(need.partition("[")[0]): None for need in needs}
        if key in ctx.attr.known
    ]))

_spoke = repository_rule(
    implementation = _spoke_impl,
    attrs = {
        "hashes": attr.string_list(mandatory = True),
        "hub": attr.string(mandatory = True),
        "known": attr.string_list(mandatory = True),
        "requirement": attr.string(mandatory = True),
    },
    environ = [_PYTHON, "REGRESS_WHEEL_CACHE"],
)

def _hub_impl(ctx):
    ctx.file("BUILD.bazel", "exports_files([\"requirements.bzl\"])")
    ctx.file("requirements.bzl", "all_requirements = {}\n".format([
        "@@{}//{}:pkg".format(ctx.name, name)
        for name in ctx.attr.spokes
    ]))
    for name, spoke in ctx.attr.spokes.items():
        ctx.file(name + "/BUILD.bazel", _HUB.format(name = name, spoke = spoke))

_hub = repository_rule(
    implementation = _hub_impl,
    attrs = {"spokes": attr.string_dict(mandatory = True)},
)

def _locked(text):
    """Returns the pin and the hashes of each distribution in a lock."""
    found = {}
    for entry in text.replace("\\\n", " ").split("\n"):
        words = [word for word in entry.split(" ") if word]
        if words and not words[0].startswith("#"):
            found[words[0]] = [
                word.partition("sha256:")[2]
                for word in words[1:]
            ]
    return found

def _pip_impl(ctx):
    for module in ctx.modules:
        for parse in module.tags.parse:
            spokes = {}
            pins = _locked(ctx.read(parse.requirements_lock))
            known = [_key(pin.partition("==")[0]) for pin in pins]
            for pin, hashes in pins.items():
                key = _key(pin.partition("==")[0])
                spokes[key] = "{}_312_{}".format(parse.hub_name, key)
                _spoke(
                    name = spokes[key],
                    hashes = hashes,
                    hub = parse.hub_name,
                    known = known,
                    requirement = pin,
                )
            _hub(
                name = parse.hub_name,
                spokes = spokes,
            )

pip = module_extension(
    implementation = _pip_impl,
    tag_classes = {
        "parse": tag_class(attrs = {
            "hub_name": attr.string(mandatory = True),
            "requirements_lock": attr.label(mandatory = True),
        }),
    },
)

def _local_python_impl(ctx):
    ctx.file("BUILD.bazel", _TOOLCHAIN.format(python = ctx.os.environ[_PYTHON]))

_local_python = repository_rule(
    implementation = _local_python_impl,
    environ = [_PYTHON],
)

local_python = module_extension(
    implementation = lambda _ctx: _local_python(name = "python_3"),
)
