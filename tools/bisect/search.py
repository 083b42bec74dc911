"""Chooses which release of a range to run next.

The ends run first. If two neighbors among the releases that ran have different
outcomes, the middle of what is between them runs next, until the change is
narrowed down to one release. If all outcomes are equal, a break and its fix may
both be hiding between two of them: then the middle of the largest gap runs
next, until everything has run. A release that could not run is left out, and
its neighbor runs in its place.
"""

import dataclasses
import enum
import itertools
from collections.abc import Sequence


class Outcome(enum.Enum):
    """What came of running a release."""

    GOOD = "good"
    BAD = "bad"
    COULD_NOT_RUN = "could not run"


# One for each release, in order; None for one that has not run.
Outcomes = Sequence[Outcome | None]


@dataclasses.dataclass(frozen=True)
class Change:
    """Two neighbors among the releases that ran, with different outcomes.

    Attributes:
        before: The place of the last release with the old outcome.
        after: The place of the first one with the new outcome.
        unknown: The places of the releases in between; once the search has
            ended, none of them could run.
    """

    before: int
    after: int
    unknown: tuple[int, ...]


def next_place(outcomes: Outcomes) -> int | None:
    """Returns the place of the release to run next; None if all is known."""
    usable = [
        place
        for place, outcome in enumerate(outcomes)
        if outcome is not Outcome.COULD_NOT_RUN
    ]
    for end in usable[:1] + usable[-1:]:
        if outcomes[end] is None:
            return end
    ran = [place for place in usable if outcomes[place] is not None]
    gaps = [
        (before, after, between)
        for before, after in itertools.pairwise(ran)
        if (between := [p for p in usable if before < p < after])
    ]
    if changes(outcomes):
        candidates = [
            between
            for before, after, between in gaps
            if outcomes[before] != outcomes[after]
        ]
    else:
        candidates = sorted(
            (between for _, _, between in gaps), key=len, reverse=True
        )
    if not candidates:
        return None
    return candidates[0][len(candidates[0]) // 2]


def changes(outcomes: Outcomes) -> list[Change]:
    """Returns where the outcome changes, among the releases that ran."""
    ran = [
        place
        for place, outcome in enumerate(outcomes)
        if outcome in (Outcome.GOOD, Outcome.BAD)
    ]
    return [
        Change(before, after, tuple(range(before + 1, after)))
        for before, after in itertools.pairwise(ran)
        if outcomes[before] != outcomes[after]
    ]
