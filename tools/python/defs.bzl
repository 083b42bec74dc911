"""The Python rules, with the settings of this repository."""

load("@regress_rules//:python.bzl", _py_binary = "py_binary", _py_library = "py_library", _py_test = "py_test")

# Our packages have no __init__.py, and Bazel must not make any: `regress` is the
# name of the repository and of a package in it, and works as both only without.
_LEGACY_CREATE_INIT = 0

py_library = _py_library

def py_binary(**kwargs):
    _py_binary(legacy_create_init = _LEGACY_CREATE_INIT, **kwargs)

def py_test(**kwargs):
    _py_test(legacy_create_init = _LEGACY_CREATE_INIT, **kwargs)

def py_tests(srcs, size = "small", **kwargs):
    """Declares a test for each file: `foo_test` for `foo_test.py`.

    Args:
      srcs: the files, each a whole test.
      size: as for py_test.
      **kwargs: as for py_test; every test gets them.
    """
    for src in srcs:
        py_test(
            name = src[:-len(".py")],
            size = size,
            srcs = [src],
            **kwargs
        )
