"""Deletes old checkpoints, and never the only complete one."""

import contextlib
import pathlib

from regress.checkpoint import disk as disk_lib
from regress.checkpoint import layout


def retire(disk: disk_lib.Disk, root: pathlib.Path, keep: int) -> None:
    """Deletes the complete checkpoints but the newest `keep`.

    To be called when the newest is on the disk and the tracker names it. A
    checkpoint is renamed before it is deleted, so that one that is deleted in
    part is not taken for a damaged one. Without a manifest a folder is left
    alone: it is another tool's, or will be overwritten.

    Args:
      disk: where to.
      root: the checkpoint directory.
      keep: at least 1; or 0 to keep all.
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


def _delete_retired(disk: disk_lib.Disk, root: pathlib.Path) -> None:
    for folder in sorted(root.glob(f"*{layout.RETIRED}")):
        # A disk that does not delete is no reason to stop training.
        with contextlib.suppress(OSError):
            disk.delete_folder(folder)
