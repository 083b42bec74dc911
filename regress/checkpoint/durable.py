"""Files that are there whole or not at all, whenever the power fails."""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import io
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from regress.checkpoint import errors

# Collects the many small writes of torch.save.
_BUFFER_BYTES = 1 << 20

# Appended to the name of a file that is not whole yet.
ASIDE = ".part"


class Disk:
    """The file system of this machine, one method for each step of writing.

    All that a save does to the file system goes through here, so that a test
    can end the world after any of the steps, or lose what was not flushed.
    """

    def create(self, path: pathlib.Path) -> int:
        """Opens an empty file for writing. Returns its descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        return os.open(path, flags, 0o666)

    def write(self, fd: int, data: memoryview) -> int:
        """Writes some of the data. Returns how many bytes."""
        return os.write(fd, data)

    def flush(self, fd: int) -> None:
        """Returns when the file's content is on the disk; not its name."""
        os.fsync(fd)

    def close(self, fd: int) -> None:
        """Closes a descriptor."""
        os.close(fd)

    def rename(self, source: pathlib.Path, target: pathlib.Path) -> None:
        """Gives a file another name; what had that name is gone."""
        source.rename(target)

    def make_folder(self, path: pathlib.Path) -> bool:
        """Makes a folder. Returns whether it was not there."""
        try:
            path.mkdir()
        except FileExistsError:
            return False
        return True

    def flush_folder(self, path: pathlib.Path) -> None:
        """Returns when the names in the folder are on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def delete_folder(self, path: pathlib.Path) -> None:
        """Deletes a folder with all that is in it."""
        shutil.rmtree(path)


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written to a file.

    Attributes:
        bytes: Its size.
        sha256: Its digest, in hex, of what the writer meant: a disk that keeps
            something else is found out.
    """

    bytes: int
    sha256: str


def write(
    disk: Disk,
    path: pathlib.Path,
    produce: Callable[[BinaryIO], object],
) -> Written:
    """Writes a file aside, flushes it to the disk and gives it its name.

    A file that had the name is there until the new one is whole.

    Args:
        disk: Where to.
        path: The file, in a folder that exists.
        produce: Writes the content to the file that it is given.

    Raises:
        CheckpointWriteError: The disk is full, or does not take the file. What
            was written of it is removed.
    """
    aside = path.with_name(path.name + ASIDE)
    try:
        try:
            written = _write(disk, aside, produce)
        except BaseException:
            # A full disk shall not stay full.
            with contextlib.suppress(OSError):
                aside.unlink()
            raise
        disk.rename(aside, path)
        disk.flush_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    return written


def make_folder(disk: Disk, path: pathlib.Path) -> None:
    """Makes a folder and those above it; each is named on the disk.

    Raises:
        CheckpointWriteError: It cannot be made.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        try:
            # Another rank may have made it meanwhile, and then flushes it.
            if disk.make_folder(folder):
                disk.flush_folder(folder.parent)
        except OSError as error:
            raise _unwritable(folder, error) from error


def _write(
    disk: Disk,
    path: pathlib.Path,
    produce: Callable[[BinaryIO], object],
) -> Written:
    fd = disk.create(path)
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as beside:
        sink = _Sink(disk, fd, beside)
        try:
            buffered = io.BufferedWriter(sink, _BUFFER_BYTES)
            try:
                produce(cast(BinaryIO, buffered))
            except RuntimeError as error:
                # torch.save hides why a write failed behind an error of its
                # own.
                raise sink.error or error from error
            buffered.flush()
            disk.flush(fd)
        finally:
            sink.retire()
            disk.close(fd)
    return Written(sink.size, sink.digest.hexdigest())


class _Sink(io.RawIOBase):
    """Digests what it writes, in another thread while it writes.

    The digest takes as long as the write, and both leave the interpreter free.
    """

    def __init__(
        self,
        disk: Disk,
        fd: int,
        beside: concurrent.futures.Executor,
    ) -> None:
        self._disk = disk
        self._fd: int | None = fd
        self._beside = beside
        self.size = 0
        self.digest = hashlib.sha256()
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._fd is None:
            raise OSError("The file is closed.")
        view = memoryview(data).cast("B")
        digested = self._beside.submit(self.digest.update, view)
        try:
            # What was digested must be written, all of it.
            written = 0
            while written < len(view):
                written += self._disk.write(self._fd, view[written:])
        except OSError as error:
            self.error = error
            raise
        finally:
            # The caller may use the memory again once this returns.
            digested.result()
        self.size += written
        return written

    def retire(self) -> None:
        """Writes no more.

        The buffer of a save that failed is flushed when it is collected, and
        by then the descriptor may be another file's.
        """
        self._fd = None


def _unwritable(
    path: pathlib.Path, error: OSError
) -> errors.CheckpointWriteError:
    return errors.CheckpointWriteError(
        f"The checkpoint's {path} cannot be written: "
        f"{error.strerror or error}. The checkpoint before it is untouched: "
        "make room, or let this user write there, and start again."
    )
