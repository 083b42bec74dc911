"""Opens files that somebody else has made, if they are regular files.

A named pipe in place of a file would wait for a writer that never comes, and a
device may have no end. Whoever opens either would hang without a word, so both
are refused at once.
"""

import errno
import io
import os
import pathlib
import stat


def open_to_read(path: str | os.PathLike[str]) -> io.BufferedReader:
    """Opens a regular file for reading.

    Raises:
        OSError: The file cannot be opened, or is no regular file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check(os.fstat(fd).st_mode, path)
        return os.fdopen(fd, "rb")
    except BaseException:
        os.close(fd)
        raise


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


def _check(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(
            errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path)
        )
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))
