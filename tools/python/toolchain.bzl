"""The Python toolchain: one minor version, with nothing installed in it.

It is an input of every action and test like any other, so that neither the
path of a checkout nor what a machine has at that path is part of a result, and
a remote worker needs no Python of its own.
"""

_BUILD = """\
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

package(default_visibility = ["//visibility:public"])

exports_files(["host_python"])

py_runtime(
    name = "runtime",
    # One label for the whole directory, and the file whose changes Bazel
    # notices.
    files = [
        "home",
        "home.sha256",
    ],
    interpreter = "python3",
    python_version = "PY3",
    stub_shebang = {shebang},
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

# How Bazel's stub, a Python program in front of every Python program, starts:
# a shell that looks for the runfiles as the stub itself does. What the shell
# reads is a string to Python.
_SHEBANG = """\
#!/bin/sh
'''':; for d in "$0.runfiles" "${RUNFILES_DIR:-}" "${TEST_SRCDIR:-}" "${0%%.runfiles/*}.runfiles"; do [ -f "$d/@REPOSITORY@/python3" ] && exec "$d/@REPOSITORY@/python3" "$0" "$@"; done; echo >&2 "$0: no runfiles of it are here: run it by Bazel."; exit 2 # '''"""

_INTERPRETER = """\
#!/bin/sh
# Runs the Python beside this file. The script's directory and the user's
# packages stay out of sys.path, here and in every process started from here.
case "$0" in
/*) here="${0%/*}" ;;
*) here="${PWD}/${0%/*}" ;;
esac
home="${here}/home"
if [ ! -d "${home}" ]; then
    # Bazel uploads a directory to a remote worker, but not into the runfiles
    # that it is in: it lies where an action would find it.
    root="${here%%/bazel-out/*}/external"
    home="${root}/${here##*/}/home"
    set -f
    IFS=:
    path=""
    for entry in ${PYTHONPATH:-}; do
        [ -d "${entry}" ] || entry="${root}/${entry##*.runfiles/}"
        path="${path}${path:+:}${entry}"
    done
    unset IFS
    set +f
    export PYTHONPATH="${path}"
fi
# For a Python whose library is shared.
export LD_LIBRARY_PATH="${home}/lib${LD_LIBRARY_PATH:+:${LD_LIBRARY_PATH}}"
PYTHONNOUSERSITE=1 PYTHONSAFEPATH=1 exec "${home}/bin/python@VERSION@" "$@"
"""

def _python_repository_impl(ctx):
    version = ctx.attr.version
    candidate = ctx.os.environ.get("REGRESS_PYTHON") or "python" + version
    python = candidate if candidate.startswith("/") else ctx.which(candidate)
    if not python:
        fail("wrong Python: expected {} on the PATH, found none: install it, or set REGRESS_PYTHON to its path.".format(candidate))

    result = ctx.execute([python, ctx.path(ctx.attr._script), version, "home"])
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
    digest = ctx.execute([python, ctx.path(ctx.attr._tree_digest), "home"])
    if digest.return_code:
        fail(digest.stderr.strip())
    ctx.file("home.sha256", digest.stdout)
    ctx.file("python3", _INTERPRETER.replace("@VERSION@", version))
    ctx.file("BUILD.bazel", _BUILD.format(
        shebang = repr(_SHEBANG.replace("@REPOSITORY@", ctx.name)),
    ))

python_repository = repository_rule(
    implementation = _python_repository_impl,
    attrs = {
        "version": attr.string(
            doc = "The minor version, as `3.11`.",
            mandatory = True,
        ),
        "_script": attr.label(default = "//tools/python:interpreter.py"),
        "_tree_digest": attr.label(default = "//tools/python:tree_digest.py"),
    },
    configure = True,
    doc = """Makes a toolchain of the Python on this machine.

Finds `python<version>` on the PATH, or what the environment variable
REGRESS_PYTHON names, and copies it without what is installed in it, so that
only declared wheels can be imported. `host_python` is the Python itself, with
its pip.""",
    # Not PATH: a copy that somebody may be using is not made anew for each
    # shell. `tools/bazelw sync --configure` does that.
    environ = ["REGRESS_PYTHON"],
)
