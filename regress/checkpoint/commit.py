"""The last steps of a save: files become a checkpoint, and old ones go."""

import contextlib
import pathlib

from regress.checkpoint import durable, layout, manifest


def commit(
    disk: durable.Disk,
    root: pathlib.Path,
    complete: manifest.Manifest,
    keep: int,
) -> None:
    """Makes a checkpoint of files that are on the disk, of all ranks.

    Args:
        disk: Where to.
        root: The checkpoint directory.
        complete: What the checkpoint has.
        keep: The newest complete checkpoints that stay; 0 for all.

    Raises:
        CheckpointWriteError: The disk does not take it.
    """
    folder = layout.folder(root, complete.iteration)
    # The ranks have flushed their folders; now the names of these. A folder
    # that is there may be of a rank that was killed before it could flush the
    # name.
    for named_in in (folder, root):
        disk.flush_folder(named_in)
    if not layout.committed(root):
        # The first checkpoint does so for the folders above, however many of
        # them were made for it. One that this user may not read was not.
        for named_in in root.parents:
            with contextlib.suppress(PermissionError):
                disk.flush_folder(named_in)
    durable.write(
        disk,
        folder / layout.MANIFEST,
        lambda file: file.write(manifest.encode(complete)),
    )
    layout.write_tracker(disk, root, complete.iteration)
    retire(disk, root, keep)


def retire(disk: durable.Disk, root: pathlib.Path, keep: int) -> None:
    """Deletes the complete checkpoints but the newest `keep`.

    To be called when the newest is on the disk and the tracker names it. A
    checkpoint is renamed before it is deleted, so that one that is deleted in
    part is not taken for a damaged one. Without a manifest a folder is left
    alone: it is another tool's, or will be overwritten.

    Args:
        disk: Where to.
        root: The checkpoint directory.
        keep: At least 1; or 0 to keep all.
    """
    if not keep:
        return
    # What a kill left of an earlier time.
    _delete_retired(disk, root)
    for iteration in layout.committed(root)[:-keep]:
        folder = layout.folder(root, iteration)
        disk.rename(folder, folder.with_name(folder.name + layout.RETIRED))
    disk.flush_folder(root)
    _delete_retired(disk, root)


def _delete_retired(disk: durable.Disk, root: pathlib.Path) -> None:
    for folder in sorted(root.glob(f"*{layout.RETIRED}")):
        # A disk that does not delete is no reason to stop training.
        with contextlib.suppress(OSError):
            disk.delete_folder(folder)
