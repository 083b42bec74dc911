"""A disk that logs its operations."""

import dataclasses
import pathlib
from collections.abc import Callable

from regress.checkpoint import durable


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation on the disk.

    Attributes:
        rank: The rank that does it.
        kind: The name of a method of `durable.Disk`, or "delete" for one entry
            of a folder that is deleted.
        path: The file or folder, relative to the observed directory.
        target: For a rename, the new path.
        data: For a write, the appended bytes.
    """

    rank: int
    kind: str
    path: pathlib.PurePosixPath
    target: pathlib.PurePosixPath | None = None
    data: bytes = b""

    def __str__(self) -> str:
        """Returns a description such as "rank 2: rename a.part to a"."""
        to = f" to {self.target}" if self.target else ""
        size = f" {len(self.data)} bytes to" if self.data else ""
        return f"rank {self.rank}: {self.kind}{size} {self.path}{to}"


class RecordingDisk(durable.Disk):
    """One rank's disk: does every operation on the file system and logs it.

    An operation that fails is not logged.
    """

    def __init__(
        self,
        rank: int,
        base: pathlib.Path,
        log: list[Operation],
        after_step: Callable[[int], None],
    ) -> None:
        """Observes a directory.

        Args:
            rank: The rank that uses this disk.
            base: The observed directory; nothing above it is touched.
            log: The log of all ranks' operations.
            after_step: Called with the rank after an operation is logged.
        """
        self._rank = rank
        self._base = base
        self._log = log
        self._after_step = after_step
        self._open: dict[int, pathlib.Path] = {}

    def create(self, path: pathlib.Path) -> int:
        """As a Disk does."""
        fd = super().create(path)
        self._open[fd] = path
        self._add("create", path)
        return fd

    def write(self, fd: int, data: memoryview) -> int:
        """As a Disk does."""
        count = super().write(fd, data)
        self._add("write", self._open[fd], data=bytes(data[:count]))
        return count

    def flush(self, fd: int) -> None:
        """As a Disk does."""
        super().flush(fd)
        self._add("flush", self._open[fd])

    def close(self, fd: int) -> None:
        """As a Disk does; not logged, since it does not change the disk."""
        super().close(fd)
        del self._open[fd]

    def rename(self, source: pathlib.Path, target: pathlib.Path) -> None:
        """As a Disk does."""
        super().rename(source, target)
        self._add("rename", source, target=target)

    def make_folder(self, path: pathlib.Path) -> bool:
        """As a Disk does."""
        made = super().make_folder(path)
        if made:
            self._add("make_folder", path)
        return made

    def flush_folder(self, path: pathlib.Path) -> None:
        """As a Disk does; skipped above the observed directory."""
        if path.is_relative_to(self._base):
            super().flush_folder(path)
            self._add("flush_folder", path)

    def delete_folder(self, path: pathlib.Path) -> None:
        """As a Disk does; each entry is a logged operation."""
        entries = sorted(path.rglob("*"), reverse=True)
        for entry in entries:
            if entry.is_dir():
                entry.rmdir()
            else:
                entry.unlink()
            self._add("delete", entry)
        path.rmdir()
        self._add("delete", path)

    def _add(
        self,
        kind: str,
        path: pathlib.Path,
        *,
        target: pathlib.Path | None = None,
        data: bytes = b"",
    ) -> None:
        self._log.append(
            Operation(
                self._rank,
                kind,
                self._relative(path),
                self._relative(target) if target else None,
                data,
            )
        )
        self._after_step(self._rank)

    def _relative(self, path: pathlib.Path) -> pathlib.PurePosixPath:
        return pathlib.PurePosixPath(path.relative_to(self._base))
