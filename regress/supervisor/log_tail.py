"""The end of a log, to be quoted in a message."""

import os
import pathlib

# Nothing before this many bytes from the end is looked at.
_BYTES = 1 << 16


def lines(path: pathlib.Path, count: int) -> list[str]:
    """The last non-empty lines of a file, at most `count` of them."""
    with open(path, "rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _BYTES))
        text = log.read().decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()][-count:]


def last_line(path: pathlib.Path) -> str:
    """The last non-empty line of a file, stripped; empty if there is none."""
    return "".join(lines(path, 1)).strip()
