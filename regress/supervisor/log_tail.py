"""Reads the end of a log, to quote it in a message."""

import os
import pathlib
import re

# How much of the end of a log is read.
_BYTES = 1 << 16

# torch prefixes each line of a traceback with this.
_RANK = re.compile(r"^\[rank\d+\]: ?")
# Warnings of torch's C++ code, for example that a process group was not
# destroyed because an exception ended the rank. They come last in the log and
# are never the reason why the rank ended.
_WARNING = re.compile(r"^\[[IW]\d{4} [\d:.]+ \S+:\d+\] ")


def lines(path: pathlib.Path, count: int) -> list[str]:
    """Returns the last non-empty lines of a file, at most `count`."""
    return _tail(path)[-count:]


def last_line(path: pathlib.Path) -> str:
    """Returns the last line that says why a rank ended, stripped.

    For example "ValueError: expected 2, got 3"; "" if the log is empty.
    """
    said = [_RANK.sub("", line.strip()) for line in _tail(path)]
    reasons = [line for line in said if not _WARNING.match(line)]
    return (reasons or said or [""])[-1].strip()


def _tail(path: pathlib.Path) -> list[str]:
    """Returns the non-empty lines at the end of a file."""
    with open(path, "rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _BYTES))
        text = log.read().decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()]
