"""The standard streams of a rank."""

import io
import os
import sys


def buffer_by_line() -> None:
    """Writes each line as it ends, so that a kill loses none."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def redirect(output: int) -> None:
    """Empties stdin and makes a file descriptor stdout and stderr."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(output, 1)
    os.dup2(output, 2)
