"""Checks the Python that runs this, and copies it into a folder.

The copy has the interpreter and the standard library, without any installed
packages. It can be moved, and runs on any machine with the same system
libraries.

This runs in a repository rule, perhaps under a Python that is too old, so it
uses no syntax or module newer than Python 3.6.
"""

import compileall
import importlib.util
import pathlib
import py_compile
import shutil
import sys
import sysconfig

# These are installed packages, and parts of the library that no test needs:
# other programs, its own tests, what compiles against it. A site's
# customization does not belong to Python.
_LEFT_OUT = (
    "__pycache__",
    "config-*",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "site-packages",
    "sitecustomize.py",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
)


def check(expected: "list[str]", actual: str, has_pip: bool) -> str:
    """Returns why a Python cannot be used, or nothing if it can.

    Args:
        expected: The minor versions to use, such as "3.12".
        actual: The minor version found.
        has_pip: Whether it can run pip, which fetches the packages.
    """
    if actual not in expected:
        return "is Python " + actual
    if not has_pip:
        return "has no pip: install python3-pip"
    return ""


def copy(
    version: str, executable: pathlib.Path, directory: pathlib.Path
) -> None:
    """Copies the Python that runs this.

    Args:
        version: Its minor version, such as "3.12".
        executable: Its path, outside of any virtual environment.
        directory: The folder that gets bin/python<version> and lib/.
    """
    library = directory / "lib" / f"python{version}"
    shutil.copytree(
        sysconfig.get_path("stdlib"),
        str(library),
        ignore=shutil.ignore_patterns(*_LEFT_OUT),
        ignore_dangling_symlinks=True,
    )
    shared = shared_library(sysconfig.get_config_vars())
    if shared:
        shutil.copy(str(shared), str(directory / "lib"))
    programs = directory / "bin"
    programs.mkdir()
    shutil.copy(str(executable), str(programs / f"python{version}"))
    # No sandbox can write byte code later. Copying may change the files' times,
    # so the byte code must not depend on them.
    compileall.compile_dir(
        str(library),
        stripdir=str(library),
        quiet=2,
        workers=0,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def shared_library(settings: "dict[str, object]") -> "pathlib.Path | None":
    """Returns the library of a Python that was built with a shared one.

    Debian's interpreter has the library linked in, though its settings name a
    shared one, which is a separate package. An interpreter that needs its
    library could not have run this without it.

    Args:
        settings: As sysconfig.get_config_vars() returns them.
    """
    if not settings.get("Py_ENABLE_SHARED"):
        return None
    path = pathlib.Path(str(settings["LIBDIR"]), str(settings["INSTSONAME"]))
    return path if path.exists() else None


def main(directory: str, *expected: str) -> None:
    """Prints the version, and the Python outside of any virtual environment.

    If this Python cannot be used, says why and exits with 1.
    """
    actual = "{}.{}".format(*sys.version_info[:2])
    has_pip = importlib.util.find_spec("pip") is not None
    error = check(list(expected), actual, has_pip)
    if error:
        sys.exit(error)
    executable = getattr(  # noqa: B009 - not in typeshed
        sys, "_base_executable"
    )
    copy(actual, pathlib.Path(executable).resolve(), pathlib.Path(directory))
    print(actual)
    print(executable)


if __name__ == "__main__":
    main(*sys.argv[1:])
