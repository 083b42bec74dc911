"""Opens files that somebody else has made, if they are regular files.

A named pipe in place of a file would wait for a writer that never comes, and a
device may have no end. Whoever opens either would hang without a word, so both
are refused at once.
"""

import errno
import os
import pathlib
import stat
from typing import BinaryIO


def open_to_read(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a regular file for reading.

    Raises:
        OSError: The file cannot be opened, or is no regular file.
    """
    file = open(path, "rb", opener=_without_waiting)
    try:
        _check(os.fstat(file.fileno()).st_mode, path)
    except BaseException:
        file.close()
        raise
    return file


def read(path: str | os.PathLike[str]) -> bytes:
    """Returns the content of a regular file.

    Raises:
        OSError: The file cannot be read, or is no regular file.
    """
    with open_to_read(path) as file:
        return file.read()


def check(path: pathlib.Path) -> None:
    """Checks a file that another library opens by its path.

    Raises:
        OSError: There is no such file, or it is no regular file.
    """
    _check(path.stat().st_mode, path)


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)


def _check(mode: int, path: str | os.PathLike[str]) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))
