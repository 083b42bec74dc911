"""Commits a checkpoint, from when on it is complete, and deletes old ones.

The manifest is the commit: a folder without one holds no checkpoint, whatever
its files are. So the order is

1. the files of all ranks, flushed (the ranks have done that);
2. the names of their folders;
3. the manifest, flushed, under its name by a rename;
4. the tracker, in the same way;
5. only then, the end of older checkpoints.

A kill or a power failure between any two of these leaves the new checkpoint or
the one before it whole, and view.py finds it.

The ranks could also write into a folder with a temporary name, and the commit
could be its rename. A manifest would still be needed, to say which files there
must be and what is in them; and if there is one, it can be the commit, on file
systems that cannot rename a folder atomically, too.
"""

import contextlib
import pathlib

from regress.checkpoint import durable, errors, layout, manifest


def commit(
    disk: durable.Disk,
    root: pathlib.Path,
    complete: manifest.Manifest,
    keep: int,
) -> None:
    """Commits a checkpoint. The files of all ranks must be on disk.

    Args:
        disk: The file system to write to.
        root: The checkpoint directory.
        complete: The checkpoint's manifest.
        keep: How many of the newest complete checkpoints to keep; 0 for all.

    Raises:
        CheckpointWriteError: The manifest or the tracker cannot be written, a
            folder cannot be flushed, or an old checkpoint cannot be renamed.
    """
    folder = layout.folder(root, complete.iteration)
    with durable.writing(folder):
        _flush_folders(disk, root, folder)
    durable.write(
        disk,
        folder / layout.MANIFEST,
        lambda file: file.write(manifest.encode(complete)),
    )
    layout.write_tracker(disk, root, complete.iteration)
    retire(disk, root, keep)


def _flush_folders(
    disk: durable.Disk, root: pathlib.Path, folder: pathlib.Path
) -> None:
    # The ranks have flushed their own folders; flush the names of those
    # folders, too. An existing folder may be from a rank that was killed before
    # it could flush the name.
    for named_in in (folder, root):
        disk.flush_folder(named_in)
    if not layout.committed(root):
        # The first checkpoint also flushes all parent folders, since any of
        # them may be new. A folder that this user may not read is not new.
        for named_in in root.parents:
            with contextlib.suppress(PermissionError):
                disk.flush_folder(named_in)


def retire(disk: durable.Disk, root: pathlib.Path, keep: int) -> None:
    """Deletes all complete checkpoints except the newest `keep`.

    Call this when the newest one is on disk and the tracker names it. A
    checkpoint is renamed before it is deleted, so that a partly deleted one is
    not taken for a damaged one. A folder without a manifest is left alone: it
    belongs to another tool, or will be overwritten.

    Args:
        disk: The file system to write to.
        root: The checkpoint directory.
        keep: How many to keep; 0 for all.

    Raises:
        CheckpointWriteError: One cannot be renamed. Training on would fill
            the disk.
    """
    if not keep:
        return
    try:
        # An earlier deletion may have been killed halfway.
        _delete_retired(disk, root)
        for iteration in layout.committed(root)[:-keep]:
            folder = layout.folder(root, iteration)
            disk.rename(folder, folder.with_name(folder.name + layout.RETIRED))
        disk.flush_folder(root)
        _delete_retired(disk, root)
    except OSError as error:
        raise errors.CheckpointWriteError(
            f"Old checkpoints in {root} cannot be deleted: "
            f"{error.strerror or error}. The save was complete before that: "
            "let this user rename folders there, and start again."
        ) from error


def _delete_retired(disk: durable.Disk, root: pathlib.Path) -> None:
    for folder in sorted(root.glob(f"*{layout.RETIRED}")):
        # A failed deletion is no reason to stop training.
        with contextlib.suppress(OSError):
            disk.delete_folder(folder)
