"""The Python toolchain: the machine's Python, with nothing installed in it.

It is an input of every action and test like any other, so that neither the
path of a checkout nor what a machine has at that path is part of a result, and
a remote worker needs no Python of its own.
"""

load(":pythons.bzl", "PYTHONS")

_BUILD = """\
load("@regress_rules//:python.bzl", "py_runtime", "py_runtime_pair")

package(default_visibility = ["//visibility:public"])

exports_files([
    "host_python",
    "version.bzl",
])

py_runtime(
    name = "runtime",
    # One label for the whole directory, and the file whose changes Bazel does
    # notice.
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

# The first line of Bazel's stub, the Python program in front of every Python
# program. It is a shell command that looks for the runfiles as the stub itself
# does. To Python, the command is a string.
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

# Version managers keep a folder for each Python here: the variable that moves it,
# its usual place in the home directory, and the folder below.
_MANAGERS = [
    ("PYENV_ROOT", ".pyenv", "/versions"),
    ("UV_PYTHON_INSTALL_DIR", ".local/share/uv/python", ""),
]

_HELP = "install one (Debian 13 or Ubuntu 24.04: `apt-get install python3 python3-pip`; anywhere: `uv python install {newest}`), or set REGRESS_PYTHON to the path of one."

def _numbers(path):
    """Returns the numbers in a folder's name, as a key to sort by."""
    name = "".join([c if c.isdigit() else " " for c in path.basename.elems()])
    return [int(word) for word in name.split(" ") if word]

def _managed(ctx):
    """Returns the folders of version managers' Pythons, newest first."""
    found = []
    for variable, usual, below in _MANAGERS:
        root = ctx.os.environ.get(variable)
        if not root and ctx.os.environ.get("HOME"):
            root = ctx.os.environ["HOME"] + "/" + usual
        if root and ctx.path(root + below).exists:
            found += ctx.path(root + below).readdir()
    return reversed(sorted(found, key = _numbers))

def _candidates(ctx):
    """Returns the paths of Pythons that may do, the first one preferred."""
    chosen = ctx.os.environ.get("REGRESS_PYTHON")
    if chosen:
        found = chosen if chosen.startswith("/") else ctx.which(chosen)
        return [str(found or chosen)]
    folders = [f for f in ctx.os.environ.get("PATH", "").split(":") if f]
    names = ["python" + version for version in PYTHONS] + ["python3"]
    return [
        folder + "/" + name
        for name in names
        for folder in folders
    ] + [
        "{}/bin/python{}".format(folder, version)
        for version in PYTHONS
        for folder in _managed(ctx)
    ]

def _why_it_fails(message):
    """Returns why a Python failed, from the last line that it printed.

    It is too old for the script, or a version manager's stub, or incomplete.
    """
    _, is_incomplete, rest = message.partition("error while loading shared libraries: ")
    if not is_incomplete:
        return "fails: " + message
    library = rest.partition(":")[0]
    version = library.partition("libpython")[2].partition(".so")[0]
    if not version:
        return "lacks " + library
    return "lacks {library}: install libpython{version} (Debian, Ubuntu) or python{version}-libs (Fedora)".format(
        library = library,
        version = version,
    )

def _copy_python(ctx):
    """Copies the first Python that can be used. Returns its version and path."""
    passed_over = []
    for candidate in _candidates(ctx):
        if not ctx.path(candidate).exists:
            continue
        ctx.delete("home")
        result = ctx.execute(
            [candidate, "-I", ctx.path(ctx.attr._script), "home"] + PYTHONS,
        )
        if not result.return_code:
            return result.stdout.strip().split("\n")
        reason = result.stderr.strip().split("\n")[-1]
        if not reason.startswith(("is Python ", "has no pip")):
            reason = _why_it_fails(reason)
        passed_over.append("{} ({})".format(candidate, reason))
    where = ["REGRESS_PYTHON"] if ctx.os.environ.get("REGRESS_PYTHON") else [
        "PATH (python{})".format(", python".join(PYTHONS)),
        "~/.pyenv/versions",
        "~/.local/share/uv/python",
    ]
    return fail("wrong Python: expected Python {versions} with pip, looked in {where}, found {found}: {help}".format(
        found = ", ".join(passed_over) or "none",
        help = _HELP.format(newest = PYTHONS[0]),
        versions = " or ".join(PYTHONS),
        where = ", ".join(where),
    ))

def _python_repository_impl(ctx):
    version, python = _copy_python(ctx)
    ctx.symlink(python, "host_python")
    digest = ctx.execute([python, ctx.path(ctx.attr._tree_digest), "home"])
    if digest.return_code:
        fail(digest.stderr.strip())
    ctx.file("home.sha256", digest.stdout)
    ctx.file("python3", _INTERPRETER.replace("@VERSION@", version))
    ctx.file("version.bzl", "PYTHON_VERSION = {}\n".format(repr(version)))
    ctx.file("BUILD.bazel", _BUILD.format(
        shebang = repr(_SHEBANG.replace("@REPOSITORY@", ctx.name)),
    ))

def _registered_python_repository_impl(ctx):
    ctx.file("version.bzl", "PYTHON_VERSION = {}\n".format(repr(ctx.attr.version)))
    ctx.file("BUILD.bazel", "")

registered_python_repository = repository_rule(
    implementation = _registered_python_repository_impl,
    attrs = {"version": attr.string(mandatory = True)},
    doc = "Declares no toolchain: somebody else has registered one.",
)

python_repository = repository_rule(
    implementation = _python_repository_impl,
    attrs = {
        "_script": attr.label(default = "//tools/python:interpreter.py"),
        "_tree_digest": attr.label(default = "//tools/python:tree_digest.py"),
    },
    configure = True,
    doc = """Makes a toolchain of a Python on this machine.

Takes the Python that the environment variable REGRESS_PYTHON names; without it,
the first one of a supported version on the PATH, or of those that pyenv and uv
keep. It is copied without its installed packages, so that only declared wheels
can be imported. `host_python` is the Python itself, with its pip, and version.bzl
has its minor version as PYTHON_VERSION.""",
    # PATH is not here, so that another shell's PATH does not replace a copy that
    # somebody may be using. `tools/bazelw sync --configure` looks again.
    environ = ["REGRESS_PYTHON"],
)
