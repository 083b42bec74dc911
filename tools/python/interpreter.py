"""Checks the Python that runs this, and makes a virtual environment of it.

Runs in a repository rule, perhaps under a wrong and old Python: no syntax or
module newer than Python 3.6.
"""

import sys
import venv


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


def main(expected: str, directory: str) -> None:
    """Prints the path of the Python outside of any virtual environment."""
    actual = "{}.{}".format(*sys.version_info[:2])
    error = check(expected, actual, sys.executable)
    if error:
        sys.exit(error)
    venv.create(directory, symlinks=True, with_pip=False)
    print(getattr(sys, "_base_executable"))  # noqa: B009 - not in typeshed


if __name__ == "__main__":
    main(*sys.argv[1:])
