"""The paths of checkpoint files: Megatron-LM's layout, plus a manifest.

    latest_checkpointed_iteration.txt              the tracker
    iter_0000020/mp_rank_00_003/model_optim_rng.pt
    iter_0000020/manifest.json

The tracker names the newest checkpoint. Each rank has one file; the one above
is of tensor rank 0, pipeline rank 3. Tools that know Megatron-LM's layout
ignore the manifest.
"""

import pathlib
import re

from regress import regular_file
from regress.checkpoint import durable, errors

TRACKER = "latest_checkpointed_iteration.txt"
MANIFEST = "manifest.json"

# Suffix of a folder that is about to be deleted.
RETIRED = ".retired"

# More than the longest tracker that Megatron-LM's own code can parse.
_MAX_TRACKER_BYTES = 64
# The run record holds iterations in 32 bits, like Megatron-LM's own tools.
MAX_ITERATION = 2**31 - 1
_FOLDER = re.compile(r"iter_(\d{7,10})", re.ASCII)


def folder(root: pathlib.Path, iteration: int) -> pathlib.Path:
    """Returns the folder of one checkpoint."""
    return root / f"iter_{iteration:07d}"


def rank_file(rank: int) -> str:
    """Returns the path of a rank's file within the checkpoint's folder."""
    return f"mp_rank_00_{rank:03d}/model_optim_rng.pt"


def iterations(root: pathlib.Path) -> list[int]:
    """Returns the iterations that have a folder, complete or not, ascending.

    A folder is no checkpoint's if its number is above MAX_ITERATION or has
    more zeros than `folder` gives it.
    """
    if not root.is_dir():
        return []
    names = {path.name for path in root.iterdir()}
    found = {int(match[1]) for match in map(_FOLDER.fullmatch, names) if match}
    return sorted(
        number
        for number in found
        if number <= MAX_ITERATION and folder(root, number).name in names
    )


def committed(root: pathlib.Path) -> list[int]:
    """Returns the iterations that have a manifest, ascending.

    The manifest is written when all files of the checkpoint are on disk. A
    folder without one is from a save that was cut short, or from another tool.
    """
    return [
        iteration
        for iteration in iterations(root)
        if (folder(root, iteration) / MANIFEST).exists()
    ]


def read_tracker(root: pathlib.Path) -> int | None:
    """Returns the iteration that the tracker names; None without a tracker.

    Raises:
        CheckpointError: The tracker cannot be read, or does not hold a positive
            number of at most MAX_ITERATION.
    """
    path = root / TRACKER
    try:
        with regular_file.open_to_read(path) as file:
            content = file.read(_MAX_TRACKER_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise errors.CheckpointError(
            f"The checkpoint tracker {path} cannot be read: {error.strerror}. "
            "Make it a file that this user can read."
        ) from error
    text = content.decode(errors="replace")
    digits = text.strip()
    if not (
        digits.isascii()
        and digits.isdecimal()
        and 0 < int(digits) <= MAX_ITERATION
    ):
        raise errors.CheckpointError(
            f"The checkpoint tracker {path} holds {text!r}; expected "
            f"the number of an iteration, at most {MAX_ITERATION}. Write the "
            "newest complete iteration into it, or delete it to resume from "
            "the newest checkpoint that has a manifest."
        )
    return int(digits)


def write_tracker(
    disk: durable.Disk, root: pathlib.Path, iteration: int
) -> None:
    """Makes the tracker name a checkpoint, which must be on disk.

    Raises:
        CheckpointWriteError: The tracker cannot be written.
    """
    durable.write(
        disk,
        root / TRACKER,
        lambda file: file.write(str(iteration).encode()),
    )
