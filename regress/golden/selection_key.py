"""Maps a case, a channel and a hardware to the path of their golden.

The path is testdata/golden/<case>/<channel>_<hardware>.textproto.
"""

import dataclasses
import os
import pathlib
import re

from regress.golden import errors

# Relative to the workspace.
FOLDER = pathlib.PurePosixPath("testdata/golden")

_SUFFIX = ".textproto"
_CHANNEL = re.compile(r"[a-z0-9_]+")
_HARDWARE = re.compile(r"none|any|nvidia_[a-z0-9_]+")
# Both parts may contain underscores. The match is unambiguous because hardware
# has a known form and the channel's match is non-greedy.
_FILE = re.compile(
    rf"({_CHANNEL.pattern}?)_({_HARDWARE.pattern}){re.escape(_SUFFIX)}"
)


@dataclasses.dataclass(frozen=True, order=True)
class Selection:
    """What selects a golden.

    Attributes:
        case_name: Name of the case.
        channel: A key of CHANNELS in tools/channels/channels.bzl.
        hardware: `none`, `nvidia_h200`, ..., or `any`.
    """

    case_name: str
    channel: str
    hardware: str


def path_of(selection: Selection) -> pathlib.PurePosixPath:
    """Returns the golden's path, relative to the workspace.

    Raises:
        GoldenError: The channel or the hardware is not a valid name.
    """
    if not _CHANNEL.fullmatch(selection.channel):
        raise errors.GoldenError(
            f'"{selection.channel}" is not a channel name, expected one such '
            "as dev or lts"
        )
    if not _HARDWARE.fullmatch(selection.hardware):
        raise errors.GoldenError(
            f'"{selection.hardware}" is not a hardware name, expected one such '
            "as none, nvidia_h200 or any"
        )
    file = f"{selection.channel}_{selection.hardware}{_SUFFIX}"
    return FOLDER / selection.case_name / file


def selection_of(path: str | os.PathLike[str]) -> Selection:
    """Returns what selects the golden at a path: the inverse of `path_of`.

    Only the last two components of the path matter.

    Raises:
        GoldenError: The path does not have the form of a golden's path.
    """
    path = pathlib.PurePath(path)
    match = _FILE.fullmatch(path.name)
    if match is None or not path.parent.name:
        raise errors.GoldenError(
            f"{path}: not the path of a golden, expected "
            f"{FOLDER}/<case>/<channel>_<hardware>{_SUFFIX}"
        )
    return Selection(path.parent.name, match[1], match[2])


def existing(folder: str | os.PathLike[str]) -> list[Selection]:
    """Returns all goldens in a folder that is laid out as FOLDER, sorted."""
    return sorted(
        selection_of(path)
        for path in pathlib.Path(folder).glob(f"*/*{_SUFFIX}")
        if _FILE.fullmatch(path.name)
    )
