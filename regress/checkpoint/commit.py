"""The last steps of a save, which make files a checkpoint."""

import contextlib
import pathlib

from regress.checkpoint import disk as disk_lib
from regress.checkpoint import durable, layout, manifest, retention, tracker


def commit(
    disk: disk_lib.Disk,
    root: pathlib.Path,
    complete: manifest.Manifest,
    keep: int,
) -> None:
    """Makes a checkpoint of files that are on the disk, of all ranks.

    Args:
      disk: where to.
      root: the checkpoint directory.
      complete: what the checkpoint has.
      keep: the newest complete checkpoints that stay; 0 for all.

    Raises:
      CheckpointWriteError: the disk does not take it.
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
    tracker.write(disk, root, complete.iteration)
    retention.retire(disk, root, keep)
