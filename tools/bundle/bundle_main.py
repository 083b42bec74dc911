"""A bundle's main program: `python3 FOLDER [FLAGS]` runs what is in FOLDER.

A bundle has no wheels; it uses those of the Python that runs it. They are
checked first, because a missing one would otherwise show up deep in a rank's
log.
"""

import importlib.util
import json
import os
import pathlib
import runpy
import sys

_PYTHON = (3, 12)
# Every program of this project imports these modules of these distributions.
NEEDED = {
    "absl": "absl-py",
    "google.protobuf": "protobuf",
    "megatron.core": "megatron-core",
    "numpy": "numpy",
    "torch": "torch",
}


def main() -> None:
    """Runs the program, with its files as the current folder."""
    folder = pathlib.Path(__file__).resolve().parent
    program = json.loads((folder / "program.json").read_text())
    _check_python(program["unneeded"])
    files = folder / "files"
    # Like `python3 -P`: the folder itself has no modules.
    sys.path[0] = str(files)
    sys.path[1:1] = map(str, sorted(files.glob("external/*")))
    # A program that prints how to run it again takes the command from here.
    sys.orig_argv = [sys.executable, str(folder), *sys.argv[1:]]
    sys.argv[1:1] = program["arguments"]
    # The run record names this Python as the one that brought the packages.
    os.environ["REGRESS_IMAGE_PYTHON"] = sys.executable
    # Paths in a case and in the bundle's arguments are relative to its files;
    # paths that the user gives are relative to where the user is.
    os.environ.setdefault("BUILD_WORKING_DIRECTORY", str(pathlib.Path.cwd()))
    os.chdir(files)
    runpy.run_module(program["module"], run_name="__main__", alter_sys=True)


def _check_python(unneeded: list[str]) -> None:
    found = sys.version_info[:2]
    if found < _PYTHON:
        sys.exit(
            f"{sys.executable} is Python {_dotted(found)}; expected "
            f"{_dotted(_PYTHON)} or newer. Run the bundle with another Python."
        )
    missing = [
        distribution
        for module, distribution in NEEDED.items()
        if module not in unneeded and not _is_there(module)
    ]
    if missing:
        sys.exit(
            f"{sys.executable} has no {', '.join(missing)}; a bundle takes its "
            "packages from the Python that runs it. Run it in an image that "
            f"has them, or: {sys.executable} -m pip install "
            f"{' '.join(missing)}"
        )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        # The package that the module would be in is missing.
        return False


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    main()
