"""Finds out which iteration a line of a log is about."""

from regress.case import limits

_ITERATION = "iteration"
_EPOCH = "epoch"

# How far an epoch may be from an iteration, in iterations: it is rounded.
_OFF = 0.25


def take(groups: dict[str, str], iterations_per_epoch: int) -> int | None:
    """Returns the iteration that a line names, and removes it from its groups.

    Args:
        groups: What the groups of a pattern matched, by name.
        iterations_per_epoch: The case's; 0 if epochs do not count.

    Returns:
        The iteration; None if the line names none, or an epoch in which too few
        digits are printed to tell.
    """
    text = groups.pop(_ITERATION, "")
    iteration = number(text)
    if iterations_per_epoch and _EPOCH in groups:
        begun = _iterations(groups.pop(_EPOCH), iterations_per_epoch)
        if begun is None or (text and iteration is None):
            return None
        iteration = begun + (iteration or 0)
    if iteration is None or iteration > limits.ITERATIONS:
        return None
    return iteration


def _iterations(epoch: str, iterations_per_epoch: int) -> int | None:
    try:
        exact = float(epoch) * iterations_per_epoch
    except ValueError:
        return None
    if not 0 <= exact <= limits.ITERATIONS:
        return None
    return round(exact) if abs(exact - round(exact)) <= _OFF else None


def number(text: str) -> int | None:
    """Returns a number that may have commas; None if it is none."""
    digits = text.replace(",", "").strip()
    return int(digits) if digits.isascii() and digits.isdecimal() else None
