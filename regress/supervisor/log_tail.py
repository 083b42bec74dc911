"""Reads the end of a log, to quote it in a message."""

import itertools
import os
import pathlib
import re
from collections.abc import Sequence

# How much of the end of a log is read. An exception's message may list every
# key of a checkpoint.
_BYTES = 1 << 20

# How much of a long quotation is kept: what went wrong stands at the beginning
# of a message, and what to do about it at the end.
_BEGINNING = 300
_END = 200

# torch prefixes each line of a traceback with this.
_RANK = re.compile(r"^\[rank\d+\]: ?")
# Warnings of torch's C++ code, for example that a process group was not
# destroyed because an exception ended the rank. They come last in the log and
# are never the reason why the rank ended.
_WARNING = re.compile(r"^\[[IW]\d{4} [\d:.]+ \S+:\d+\] ")
# A path, of which only the last parts matter to a reader.
_PARTS = 4
_PATH = re.compile(r"(?:/[^\s/]+){5,}")
_TRACEBACK = "Traceback (most recent call last):"
# Python's fault handler begins with this when a signal ends the process, and
# goes on with the frames of each thread, the innermost first.
_FATAL = "Fatal Python error: "
_ABORTED = f"{_FATAL}Aborted"


def lines(path: pathlib.Path, count: int) -> list[str]:
    """Returns the last non-empty lines of a file, at most `count`."""
    return [_shorten(line) for line in _tail(path)[-count:]]


def last_log_line(path: pathlib.Path) -> str:
    """Returns what a log says of why a rank ended, in one line of 506 at most.

    That is the exception of the last traceback with its whole message, for
    example "ValueError: expected 2, got 3"; or the signal that ended Python,
    and where; else the last line; "" if the log is empty. Of a long one it
    keeps the beginning and the end.
    """
    said = [_RANK.sub("", line) for line in _tail(path)]
    reasons = [line for line in said if not _WARNING.match(line)] or said
    before = list(
        itertools.takewhile(lambda line: not line.startswith(_FATAL), reasons)
    )
    crash = reasons[len(before) :]
    # Whoever aborts the process says why before.
    if crash and not (before and crash[0] == _ABORTED):
        return _shorten(", ".join(_fatal(crash)))
    return _shorten(" ".join(_exception(before) or before[-1:]))


def _fatal(crash: Sequence[str]) -> list[str]:
    """Returns the fault handler's first line and the innermost frame."""
    frames = [line.strip() for line in crash if line.startswith("  File ")]
    return [crash[0], *frames[:1]]


def _exception(said: Sequence[str]) -> Sequence[str]:
    """Returns the lines from the last traceback's exception on, or none."""
    starts = [place for place, line in enumerate(said) if line == _TRACEBACK]
    if not starts:
        return []
    # Only the frames between are indented.
    after = itertools.dropwhile(
        lambda line: line[:1].isspace(), said[starts[-1] + 1 :]
    )
    return list(after)


def _shorten(text: str) -> str:
    text = text.strip()
    if len(text) <= _BEGINNING + _END:
        return text
    # A test's folder may have more characters than all the rest.
    text = _PATH.sub(_last_parts, text)
    if len(text) <= _BEGINNING + _END:
        return text
    return f"{text[:_BEGINNING]} [...] {text[-_END:]}"


def _last_parts(path: re.Match[str]) -> str:
    """Returns a path without its first folders."""
    parts = path[0].split("/")
    return "/".join(["...", *parts[-_PARTS:]])


def _tail(path: pathlib.Path) -> list[str]:
    """Returns the non-empty lines at the end of a file."""
    with open(path, "rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _BYTES))
        text = log.read().decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()]
