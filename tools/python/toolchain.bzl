"""The Python toolchain: one minor version, with nothing installed in it."""

_BUILD = """\
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

package(default_visibility = ["//visibility:public"])

exports_files(["host_python"])

py_runtime(
    name = "runtime",
    interpreter_path = "{interpreter}",
    python_version = "PY3",
    stub_shebang = "#!{interpreter}",
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

# The script's directory and the user's packages stay out of sys.path, here and
# in every process started from here.
_INTERPRETER = """\
#!/bin/sh
PYTHONNOUSERSITE=1 PYTHONSAFEPATH=1 exec {venv}/bin/python3 "$@"
"""

def _python_repository_impl(ctx):
    version = ctx.attr.version
    candidate = ctx.os.environ.get("REGRESS_PYTHON") or "python" + version
    python = candidate if candidate.startswith("/") else ctx.which(candidate)
    if not python:
        fail("wrong Python: expected {} on the PATH, found none: install it, or set REGRESS_PYTHON to its path.".format(candidate))

    result = ctx.execute([python, ctx.path(ctx.attr._script), version, "venv"])
    if result.return_code:
        reason = result.stderr.strip()
        if not reason.startswith("wrong Python: "):
            # Too old for the script, or no Python.
            reason = "wrong Python: expected {version}, but {python} fails with {reason}: install python{version}, or set REGRESS_PYTHON to its path.".format(
                python = python,
                reason = reason.split("\n")[-1],
                version = version,
            )
        fail(reason)

    ctx.symlink(result.stdout.strip(), "host_python")
    ctx.file("python3", _INTERPRETER.format(venv = ctx.path("venv")))
    ctx.file("BUILD.bazel", _BUILD.format(interpreter = ctx.path("python3")))

python_repository = repository_rule(
    implementation = _python_repository_impl,
    attrs = {
        "version": attr.string(
            doc = "The minor version, as `3.11`.",
            mandatory = True,
        ),
        "_script": attr.label(default = "//tools/python:interpreter.py"),
    },
    configure = True,
    doc = """Makes a toolchain of the Python on this machine.

Finds `python<version>` on the PATH, or what the environment variable
REGRESS_PYTHON names, and makes a virtual environment of it, so that only
declared wheels can be imported. `host_python` is the Python itself, with its
pip.""",
    # Not PATH: a venv that somebody may be using is not made anew for each
    # shell. `tools/bazelw sync --configure` does that.
    environ = ["REGRESS_PYTHON"],
)
