"""The repository `regress_rules`: where rules for Python and C++ come from.

Every rule and provider of Python and C++ is loaded from there. With a WORKSPACE
it gives what is part of Bazel. With bzlmod it gives those of the modules
rules_python and rules_cc, because Bazel 8 and later have none of their own.
"""

_OF_BAZEL = {
    "cc.bzl": """\
load("@bazel_tools//tools/build_defs/cc:action_names.bzl", _names = "ACTION_NAMES")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", _find = "find_cpp_toolchain")

action_names = _names
common = cc_common
find_toolchain = _find
""",
    "platforms.bzl": """\
HOST = "@local_config_platform//:host"
""",
    "python.bzl": """\
load("@bazel_tools//tools/python:toolchain.bzl", _py_runtime_pair = "py_runtime_pair")

py_binary = native.py_binary
py_info = PyInfo
py_library = native.py_library
py_runtime = native.py_runtime
py_runtime_pair = _py_runtime_pair
py_test = native.py_test
""",
}

_OF_MODULES = {
    "cc.bzl": """\
load("@rules_cc//cc:action_names.bzl", _names = "ACTION_NAMES")
load("@rules_cc//cc:find_cc_toolchain.bzl", _find = "find_cc_toolchain")
load("@rules_cc//cc/common:cc_common.bzl", _common = "cc_common")

action_names = _names
common = _common
find_toolchain = _find
""",
    "platforms.bzl": """\
HOST = str(Label("@platforms//host"))
""",
    "python.bzl": """\
load("@rules_python//python:py_binary.bzl", _py_binary = "py_binary")
load("@rules_python//python:py_info.bzl", _py_info = "PyInfo")
load("@rules_python//python:py_library.bzl", _py_library = "py_library")
load("@rules_python//python:py_runtime.bzl", _py_runtime = "py_runtime")
load("@rules_python//python:py_runtime_pair.bzl", _py_runtime_pair = "py_runtime_pair")
load("@rules_python//python:py_test.bzl", _py_test = "py_test")

py_binary = _py_binary
py_info = _py_info
py_library = _py_library
py_runtime = _py_runtime
py_runtime_pair = _py_runtime_pair
py_test = _py_test
""",
}

def _rules_repository_impl(ctx):
    files = _OF_MODULES if ctx.attr.has_modules else _OF_BAZEL
    for name, content in files.items():
        ctx.file(name, content)
    ctx.file("BUILD.bazel", "")

rules_repository = repository_rule(
    implementation = _rules_repository_impl,
    attrs = {
        "has_modules": attr.bool(
            doc = "Whether it is declared by a module, with bzlmod.",
            mandatory = True,
        ),
    },
    doc = "Rules for Python and C++, of Bazel itself or of its modules.",
)
