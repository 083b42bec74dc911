"""The Python rules: the one place to move when Bazel drops its own."""

# Our packages have no __init__.py, and Bazel must not make any: `regress` is the
# name of the repository and of a package in it, and works as both only without.
_PROGRAM = {
    "legacy_create_init": False,
    "python_version": "PY3",
    "srcs_version": "PY3",
}

# buildifier: disable=native-py
def py_library(**kwargs):
    native.py_library(srcs_version = "PY3", **kwargs)

# buildifier: disable=native-py
def py_binary(**kwargs):
    native.py_binary(**dict(_PROGRAM, **kwargs))

# buildifier: disable=native-py
def py_test(**kwargs):
    native.py_test(**dict(_PROGRAM, **kwargs))

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
