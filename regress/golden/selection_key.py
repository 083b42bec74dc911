"""Where goldens are: one file for a case, a channel and a hardware.

testdata/golden/<case>/<channel>_<hardware>.textproto
"""

import dataclasses
import os
import pathlib
import re

from regress.golden import errors

# Of the workspace.
FOLDER = pathlib.PurePosixPath("testdata/golden")

_SUFFIX = ".textproto"
_CHANNEL = re.compile(r"[a-z0-9_]+")
_HARDWARE = re.compile(r"none|any|nvidia_[a-z0-9_]+")
# Which part of a name is the channel's is told by the hardware's.
_FILE = re.compile(
    rf"({_CHANNEL.pattern}?)_({_HARDWARE.pattern}){re.escape(_SUFFIX)}"
)


@dataclasses.dataclass(frozen=True, order=True)
class Selection:
    """What a golden is for.

    Attributes:
        case_name: The case's name.
        channel: A key of CHANNELS in tools/channels/channels.bzl.
        hardware: `none`, `nvidia_h200`, ..., or `any`.
    """

    case_name: str
    channel: str
    hardware: str


def path_of(selection: Selection) -> pathlib.PurePosixPath:
    """The golden's path in the workspace.

    Raises:
        GoldenError: The channel or the hardware is no name of one.
    """
    if not _CHANNEL.fullmatch(selection.channel):
        raise errors.GoldenError(
            f'"{selection.channel}" is no channel, expected a name such as dev '
            "or lts"
        )
    if not _HARDWARE.fullmatch(selection.hardware):
        raise errors.GoldenError(
            f'"{selection.hardware}" is no hardware, expected a name such as '
            "none, nvidia_h200 or any"
        )
    file = f"{selection.channel}_{selection.hardware}{_SUFFIX}"
    return FOLDER / selection.case_name / file


def selection_of(path: str | os.PathLike[str]) -> Selection:
    """What the golden at a path is for; only the last two parts count.

    Raises:
        GoldenError: The path is not that of a golden.
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
    """All goldens in a folder laid out as FOLDER, in order."""
    return sorted(
        selection_of(path)
        for path in pathlib.Path(folder).glob(f"*/*{_SUFFIX}")
        if _FILE.fullmatch(path.name)
    )
