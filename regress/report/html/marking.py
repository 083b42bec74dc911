"""Marks the first character in which two values differ."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Marked:
    """A value, split at the first character that differs from the other's.

    Attributes:
        same: What both values begin with.
        differs: The first character that differs; "" if none is to be marked.
        rest: What follows it.
    """

    same: str
    differs: str = ""
    rest: str = ""


def mark(expected: str, actual: str) -> tuple[Marked, Marked]:
    """Splits two texts at the first character that differs."""
    pairs = enumerate(zip(expected, actual, strict=False))
    place = next(
        (place for place, (one, other) in pairs if one != other),
        min(len(expected), len(actual)),
    )
    first, second = (
        Marked(text[:place], text[place : place + 1], text[place + 1 :])
        for text in (expected, actual)
    )
    return first, second
