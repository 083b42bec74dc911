"""What a save does to the file system, as data."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Operation:
    """One step on the disk.

    Attributes:
      rank: who does it.
      kind: a method of `disk.Disk`, or "delete" for one entry of a folder that
        is deleted.
      path: what it is done to, relative to the directory that is observed.
      target: of a rename, the new path.
      data: of a write, what is appended.
    """

    rank: int
    kind: str
    path: pathlib.PurePosixPath
    target: pathlib.PurePosixPath | None = None
    data: bytes = b""

    def __str__(self) -> str:
        """For a reader: "rank 2: rename a.part to a"."""
        to = f" to {self.target}" if self.target else ""
        size = f" {len(self.data)} bytes to" if self.data else ""
        return f"rank {self.rank}: {self.kind}{size} {self.path}{to}"
