"""A bundle's main program: `python3 FOLDER [FLAGS]` runs what is in FOLDER.

It has no wheels. They are those of the Python that runs it, which are checked
first, since a missing one would otherwise show deep in a rank's log.
"""

import importlib.util
import json
import os
import pathlib
import runpy
import sys

_PYTHON = (3, 12)
# Module and distribution of what every program of this project imports.
NEEDED = {
    "absl": "absl-py",
    "google.protobuf": "protobuf",
    "megatron.core": "megatron-core",
    "numpy": "numpy",
    "torch": "torch",
}


def main() -> None:
    """Runs the program in the folder of its files."""
    folder = pathlib.Path(__file__).resolve().parent
    _check_python()
    program = json.loads((folder / "program.json").read_text())
    files = folder / "files"
    # As with `python3 -P`: the folder itself holds no module.
    sys.path[0] = str(files)
    sys.path[1:1] = map(str, sorted(files.glob("external/*")))
    # What to run again, for whoever prints it.
    sys.orig_argv = [sys.executable, str(folder), *sys.argv[1:]]
    sys.argv[1:1] = program["arguments"]
    # Whose packages they are; see regress/run/packages.py.
    os.environ["REGRESS_IMAGE_PYTHON"] = sys.executable
    # Paths in a case and in the arguments start here. The user's start where
    # the user is.
    os.environ.setdefault("BUILD_WORKING_DIRECTORY", str(pathlib.Path.cwd()))
    os.chdir(files)
    runpy.run_module(program["module"], run_name="__main__", alter_sys=True)


def _check_python() -> None:
    found = sys.version_info[:2]
    if found < _PYTHON:
        sys.exit(
            f"{sys.executable} is Python {_dotted(found)}; expected "
            f"{_dotted(_PYTHON)} or newer. Run the bundle with another Python."
        )
    missing = [
        distribution
        for module, distribution in NEEDED.items()
        if not _is_there(module)
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
        # Of the package that it would be in.
        return False


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    main()
