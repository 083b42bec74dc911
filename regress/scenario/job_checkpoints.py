"""Finds the checkpoints in the folder of a command's job."""

import pathlib
from collections.abc import Iterator

from regress.run import run_pb2

# Of a checkpoint with more files than this, the record has no sizes.
_MOST_FILES = 1_000


def find(job: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    """Returns the checkpoints in a job's folder, the newest last.

    A checkpoint is as old as what was last written in it; of two that were
    written at once, the one whose name has the higher numbers is newer.

    Args:
        job: The folder.
        pattern: The case's `checkpoints`; "." is the folder itself, and ""
            finds none.
    """
    if not pattern:
        return []
    if pattern == ".":
        found = [job] if any(job.iterdir()) else []
    else:
        found = list(job.glob(pattern))
    return sorted(found, key=lambda path: (_written_at(path), _numbers(path)))


def describe(
    job: pathlib.Path, pattern: str
) -> Iterator[run_pb2.LeftCheckpoint]:
    """Yields what the record has of each checkpoint; see `find`."""
    for path in find(job, pattern):
        sizes = [one.stat().st_size for one in within(path) if one.is_file()]
        yield run_pb2.LeftCheckpoint(
            path=path.relative_to(job).as_posix(),
            bytes=sizes if len(sizes) <= _MOST_FILES else (),
        )


def within(path: pathlib.Path) -> list[pathlib.Path]:
    """Returns a path, and all that is in it if it is a folder."""
    return [path, *path.rglob("*")] if path.is_dir() else [path]


def _written_at(path: pathlib.Path) -> int:
    # A link may lead nowhere, such as to a checkpoint that is deleted by now.
    return max(one.lstat().st_mtime_ns for one in within(path))


def _numbers(path: pathlib.Path) -> tuple[int, ...]:
    digits = "".join(c if c.isdecimal() else " " for c in path.name)
    return tuple(map(int, digits.split()))
