"""Sets up a rank's standard streams."""

import io
import os
import sys


def buffer_by_line() -> None:
    """Makes stdout and stderr line-buffered, so that a kill loses no line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def redirect(output: int) -> None:
    """Empties stdin and points stdout and stderr to a file descriptor."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(output, 1)
    os.dup2(output, 2)
