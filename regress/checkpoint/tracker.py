"""The tracker: the file that names the newest checkpoint, as Megatron-LM's."""

import pathlib

from regress.checkpoint import disk as disk_lib
from regress.checkpoint import durable, errors, layout

# The longest that Megatron-LM's own code makes sense of, and more.
_MAX_BYTES = 64


def read(root: pathlib.Path) -> int | None:
    """The iteration that the tracker names; None if there is no tracker.

    Raises:
      CheckpointError: it cannot be read, or does not hold a positive number.
    """
    path = root / layout.TRACKER
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise errors.CheckpointError(
            f"The checkpoint tracker {path} cannot be read: {error.strerror}. "
            "Let this user read it."
        ) from error
    text = content.decode(errors="replace")
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and int(digits)):
        raise errors.CheckpointError(
            f"The checkpoint tracker {path} holds {text!r}; expected "
            "the number of an iteration. Write the newest complete "
            "iteration into it, or delete it to resume from the newest "
            "checkpoint that has a manifest."
        )
    return int(digits)


def write(disk: disk_lib.Disk, root: pathlib.Path, iteration: int) -> None:
    """Names a checkpoint that is on the disk."""
    durable.write(
        disk,
        root / layout.TRACKER,
        lambda file: file.write(str(iteration).encode()),
    )
