"""Tries a checkpoint directory before a job trains for it.

A directory that cannot be written would otherwise be noticed at the first save,
after all the work up to it.
"""

import pathlib

from regress.checkpoint import durable, errors

# No checkpoint's name, so a file that a kill leaves is ignored.
_NAME = ".probe_{rank:03d}"


def check(disk: durable.Disk, root: pathlib.Path, rank: int) -> None:
    """Writes, flushes, renames and deletes a small file in the directory.

    The directory is created if it is missing.

    Args:
        disk: The file system that the directory is on.
        root: The checkpoint directory.
        rank: This rank. Every rank does this, as it may see another disk.

    Raises:
        CheckpointWriteError: No checkpoint can be written there.
    """
    if root.is_symlink() and not root.exists():
        raise errors.CheckpointWriteError(
            f"The checkpoint directory {root} is a symbolic link to "
            f"{root.readlink()}, which does not exist: create or mount it, and "
            "start again."
        )
    path = root / _NAME.format(rank=rank)
    try:
        durable.make_folder(disk, root)
        durable.write(disk, path, lambda file: file.write(b"probe"))
        with durable.writing(path):
            path.unlink()
    except errors.CheckpointWriteError as error:
        raise errors.CheckpointWriteError(
            f"No checkpoint can be written to {root}, so nothing is trained. "
            f"{error}"
        ) from error
