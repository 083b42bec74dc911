"""Lays out text for a terminal of 80 columns."""

import textwrap
from collections.abc import Sequence

from regress import terminal

WIDTH = 80


def wrap(
    text: str, first: str = "", others: str = "", width: int = WIDTH
) -> list[str]:
    """Breaks a text into lines, including words longer than a line.

    Args:
        text: The text. Control codes are replaced by question marks.
        first: Prefix of the first line.
        others: Prefix of all other lines.
        width: Maximum width of a line, in columns.

    Returns:
        The lines; empty if the text is empty.
    """
    return textwrap.wrap(
        terminal.printable(text),
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_on_hyphens=False,
    )


def sentence(text: str) -> str:
    """Returns the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def words(name: str) -> str:
    """Converts an enum's name to words: "RESUME_PROOF" to "resume proof"."""
    return name.replace("_", " ").lower()


def numbers(values: Sequence[int]) -> str:
    """Formats ascending numbers, with runs merged: "0-3", "0,2,3"."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ",".join(
        f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run))
        for run in runs
    )
