"""The end of a log, to be quoted in a message."""

import os
import pathlib
import re

# Nothing before this many bytes from the end is looked at.
_BYTES = 1 << 16

# torch puts it before each line of a traceback.
_RANK = re.compile(r"^\[rank\d+\]: ?")
# What torch's C++ code warns of, as of a process group that was not destroyed
# since an exception ended the rank: said last, and never why it ended.
_WARNING = re.compile(r"^\[[IW]\d{4} [\d:.]+ \S+:\d+\] ")


def lines(path: pathlib.Path, count: int) -> list[str]:
    """The last non-empty lines of a file, at most `count` of them."""
    return _tail(path)[-count:]


def last_line(path: pathlib.Path) -> str:
    """The last line that says why a rank ended, stripped.

    As "ValueError: expected 2, got 3". Empty if the log is.
    """
    said = [_RANK.sub("", line.strip()) for line in _tail(path)]
    reasons = [line for line in said if not _WARNING.match(line)]
    return (reasons or said or [""])[-1].strip()


def _tail(path: pathlib.Path) -> list[str]:
    """The non-empty lines at the end of a file."""
    with open(path, "rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _BYTES))
        text = log.read().decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()]
