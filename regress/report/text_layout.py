"""Text for a terminal of 80 columns."""

import textwrap
from collections.abc import Sequence

WIDTH = 80


def wrap(
    text: str, first: str = "", others: str = "", width: int = WIDTH
) -> list[str]:
    """Breaks a text, and words that are too long for a line, into lines.

    Args:
        text: Any; a control code in it becomes a question mark.
        first: What the first line starts with.
        others: What every other line starts with.
        width: Columns of a line.

    Returns:
        The lines; none if the text is empty.
    """
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_on_hyphens=False,
    )


def printable(text: str) -> str:
    """The text with a question mark for each control code.

    A program's last line may hold a terminal's.
    """
    return "".join(c if c.isprintable() or c.isspace() else "?" for c in text)


def sentence(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def words(name: str) -> str:
    """The name of an enum's value in words: "RESUME_PROOF", "resume proof"."""
    return name.replace("_", " ").lower()


def numbers(values: Sequence[int]) -> str:
    """Ascending numbers, runs of them drawn together: "0-3", "0,2,3"."""
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
