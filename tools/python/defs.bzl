"""The Python rules: the one place to move when Bazel drops its own."""

# buildifier: disable=native-py
def py_library(**kwargs):
    native.py_library(srcs_version = "PY3", **kwargs)

# buildifier: disable=native-py
def py_binary(**kwargs):
    native.py_binary(
        python_version = "PY3",
        srcs_version = "PY3",
        **kwargs
    )

# buildifier: disable=native-py
def py_test(**kwargs):
    native.py_test(
        python_version = "PY3",
        srcs_version = "PY3",
        **kwargs
    )
