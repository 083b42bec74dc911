"""Checks the Python that runs this, and copies it into a folder.

The copy has the interpreter, the standard library and nothing that anybody has
installed; it runs wherever it is moved to, on a machine with the same system
libraries.

Runs in a repository rule, perhaps under a wrong and old Python: no syntax or
module newer than Python 3.6.
"""

import compileall
import pathlib
import py_compile
import shutil
import sys
import sysconfig

# What is installed beside the library, and parts of it that no test needs:
# other programs, its own tests, what compiles against it. A site's
# customization is no part of Python.
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


def check(expected: str, actual: str, executable: str) -> str:
    """Returns what is wrong with a Python, or nothing.

    Args:
        expected: The minor version that is needed, as "3.11".
        actual: The minor version found.
        executable: Its path.
    """
    if actual == expected:
        return ""
    return (
        f"wrong Python: expected {expected}, but {executable} is {actual}: "
        f"install python{expected}, or set REGRESS_PYTHON to its path."
    )


def copy(
    version: str, executable: pathlib.Path, directory: pathlib.Path
) -> None:
    """Copies the Python that runs this.

    Args:
        version: Its minor version, as "3.11".
        executable: Its path, outside of any virtual environment.
        directory: Where to; gets bin/python<version> and lib/.
    """
    library = directory / "lib" / f"python{version}"
    shutil.copytree(
        sysconfig.get_path("stdlib"),
        str(library),
        ignore=shutil.ignore_patterns(*_LEFT_OUT),
        ignore_dangling_symlinks=True,
    )
    settings = sysconfig.get_config_vars()
    if settings.get("Py_ENABLE_SHARED"):
        shared = pathlib.Path(settings["LIBDIR"], settings["INSTSONAME"])
        shutil.copy(str(shared), str(directory / "lib"))
    programs = directory / "bin"
    programs.mkdir()
    shutil.copy(str(executable), str(programs / f"python{version}"))
    # As for wheels: no sandbox can write byte code later, and where the files
    # are copied to, their times may be others.
    compileall.compile_dir(
        str(library),
        stripdir=str(library),
        quiet=2,
        workers=0,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def main(expected: str, directory: str) -> None:
    """Prints the path of the Python outside of any virtual environment."""
    actual = "{}.{}".format(*sys.version_info[:2])
    error = check(expected, actual, sys.executable)
    if error:
        sys.exit(error)
    executable = getattr(  # noqa: B009 - not in typeshed
        sys, "_base_executable"
    )
    copy(expected, pathlib.Path(executable).resolve(), pathlib.Path(directory))
    print(executable)


if __name__ == "__main__":
    main(*sys.argv[1:])
