"""Writes files atomically and durably, even if the power fails.

A file is either complete under its name or absent.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import io
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from regress.checkpoint import errors

# Batches the many small writes of torch.save.
_BUFFER_BYTES = 1 << 20

# How much is written before the disk is asked to begin with it. Without that,
# all of the file would be waited for at its end.
_FLUSHED_BYTES = 32 << 20

# Suffix of a file that is not complete yet.
ASIDE = ".part"


class Disk:
    """The local file system, with one method for each step of writing.

    A save touches the file system only through this class, so that a test can
    crash after any step, or drop unsynced data.
    """

    def create(self, path: pathlib.Path) -> int:
        """Creates or truncates a file. Returns its descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        # A named pipe would wait for a reader.
        return os.open(path, flags | os.O_NONBLOCK, 0o666)

    def write(self, fd: int, data: memoryview) -> int:
        """Writes at least a part of the data. Returns the number of bytes."""
        return os.write(fd, data)

    def flush(self, fd: int) -> None:
        """Flushes the file's content, but not its name, to disk (fsync)."""
        os.fsync(fd)

    def close(self, fd: int) -> None:
        """Closes a descriptor."""
        os.close(fd)

    def rename(self, source: pathlib.Path, target: pathlib.Path) -> None:
        """Renames a file and replaces an existing target."""
        source.rename(target)

    def make_folder(self, path: pathlib.Path) -> bool:
        """Creates a folder. Returns False if it existed."""
        try:
            path.mkdir()
        except FileExistsError:
            return False
        return True

    def flush_folder(self, path: pathlib.Path) -> None:
        """Flushes the names in the folder to disk (fsync)."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def delete_folder(self, path: pathlib.Path) -> None:
        """Deletes a folder and everything in it."""
        shutil.rmtree(path)


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written to a file.

    Attributes:
        bytes: Its size.
        sha256: The digest, in hex, of the data as produced, not as read back,
            so that corruption by the disk is detected later.
    """

    bytes: int
    sha256: str


def write(
    disk: Disk,
    path: pathlib.Path,
    produce: Callable[[BinaryIO], object],
    aside: str = ASIDE,
) -> Written:
    """Writes a temporary file, flushes it to disk and renames it to `path`.

    An existing file stays in place until the new one is complete.

    Args:
        disk: The file system to write to.
        path: The file, in an existing folder.
        produce: Writes the content to the file object that it is given.
        aside: Suffix of the temporary file, which nobody else may be writing.

    Raises:
        CheckpointWriteError: The disk is full, or the file cannot be written.
            The temporary file is removed.
    """
    temporary = path.with_name(path.name + aside)
    with writing(path):
        try:
            written = _write(disk, temporary, produce)
            disk.rename(temporary, path)
        except BaseException:
            # Do not leave a full disk full.
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        disk.flush_folder(path.parent)
    return written


def make_folder(disk: Disk, path: pathlib.Path) -> None:
    """Creates a folder and its parents, and flushes their names to disk.

    Raises:
        CheckpointWriteError: A folder cannot be created.
    """
    missing = []
    with writing(path):
        while not path.is_dir():
            missing.append(path)
            path = path.parent
    for folder in reversed(missing):
        with writing(folder):
            # If another rank created it meanwhile, that rank flushes it.
            if disk.make_folder(folder):
                disk.flush_folder(folder.parent)


@contextlib.contextmanager
def writing(path: pathlib.Path) -> Iterator[None]:
    """Tells the user when the file system fails to write a checkpoint.

    Args:
        path: The file or folder that the checkpoint needs.

    Raises:
        CheckpointWriteError: The file system raised an error.
    """
    try:
        yield
    except FileNotFoundError as error:
        # A save creates every folder that it writes to.
        raise errors.CheckpointWriteError(
            f"The checkpoint's {path} cannot be written: the folder was "
            "deleted during the save. Find out who deletes it, and start "
            "again."
        ) from error
    except OSError as error:
        raise errors.CheckpointWriteError(
            f"The checkpoint's {path} cannot be written: "
            f"{error.strerror or error}. The checkpoint before it is "
            "untouched: make room, or let this user write there, and start "
            "again."
        ) from error


def _write(
    disk: Disk,
    path: pathlib.Path,
    produce: Callable[[BinaryIO], object],
) -> Written:
    fd = disk.create(path)
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as beside:
        sink = _Sink(disk, fd, beside)
        try:
            buffered = io.BufferedWriter(sink, _BUFFER_BYTES)
            try:
                produce(cast(BinaryIO, buffered))
            except RuntimeError as error:
                # torch.save replaces the error of a failed write with its own.
                raise sink.error or error from error
            buffered.flush()
            sink.wait_for_flush()
            disk.flush(fd)
        finally:
            sink.retire()
            disk.close(fd)
    return Written(sink.size, sink.digest.hexdigest())


class _Sink(io.RawIOBase):
    """A raw file that is digested and flushed in other threads while it grows.

    Each takes as long as the write, and all three release the GIL.
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
        self._flush: concurrent.futures.Future[None] | None = None
        self._flush_at = _FLUSHED_BYTES
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
            # All of the digested data must be written.
            written = 0
            while written < len(view):
                written += self._disk.write(self._fd, view[written:])
            self.size += written
            self._flush_if_due(self._fd)
        except OSError as error:
            self.error = error
            raise
        finally:
            # The caller may reuse the memory once this returns.
            digested.result()
        return written

    def _flush_if_due(self, fd: int) -> None:
        if self.size < self._flush_at:
            return
        if self._flush is not None and not self._flush.done():
            return
        self.wait_for_flush()
        self._flush = self._beside.submit(self._disk.flush, fd)
        self._flush_at = self.size + _FLUSHED_BYTES

    def wait_for_flush(self) -> None:
        """Waits for the flush in progress, if there is one.

        Raises:
            OSError: The flush failed. The kernel reports a failed write to one
                flush only, so the next one would not fail.
        """
        if self._flush is not None:
            self._flush.result()

    def retire(self) -> None:
        """Refuses further writes.

        After a failed save the buffer is flushed when it is garbage-collected;
        by then the descriptor may belong to another file.
        """
        self._fd = None
        if self._flush is not None:
            concurrent.futures.wait([self._flush])
