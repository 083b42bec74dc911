"""Prints text that may quote a file: a case's name, a rank's log, a path.

Such a text may hold control codes, with which a terminal can be made to hide
or forge lines. They are replaced here, for stdout and stderr alike. So whoever
prints such a text calls `show` or `tell`, and not `print`.
"""

import sys


def printable(text: str) -> str:
    """Replaces each control code in a text by a question mark.

    Line breaks and tabs stay. A carriage return does not, since it lets the
    rest of a line overwrite its beginning.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def show(text: str) -> None:
    """Prints a text on stdout, at once."""
    print(printable(text), flush=True)


def tell(text: object) -> None:
    """Prints a text or an error on stderr."""
    print(printable(str(text)), file=sys.stderr)
