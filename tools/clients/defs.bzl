"""client_test(): a case of a client gets the verdict that docs/clients.md says."""

load("//tools/python:defs.bzl", "py_test")

def client_test(name, case, data = [], deps = [], **kwargs):
    """Tests the verdict on a case of tools/clients/clients.py.

    For a client whose resume is not exact; for others, resume_command_test is
    the same with less.

    Args:
      name: name of the test.
      case: the case's textproto.
      data: files that the command reads, such as its script.
      deps: Python libraries that the command imports.
      **kwargs: as for py_test.
    """
    py_test(
        name = name,
        args = ["--case=$(rootpath %s)" % case],
        data = data + [case],
        main = Label("//tools/clients:case_test.py"),
        srcs = [Label("//tools/clients:case_test.py")],
        deps = deps + [
            Label("//tools/clients:clients_lib"),
            "@pypi_absl_py//:lib",
        ],
        **kwargs
    )
