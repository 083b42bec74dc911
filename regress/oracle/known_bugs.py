"""Bugs that others have reported, by how they show in a run record.

A table: what shows the bug, in which releases it is, and what to do about it.
A bug is named only where all that was recorded fits it: a pointer to the wrong
bug costs the reader more than no pointer.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator

from regress.case import case_pb2
from regress.oracle import group_collision, observations, verdict_pb2

_Verdict = verdict_pb2.Verdict
_RELEASE = re.compile(r"(?P<numbers>\d{1,9}(\.\d{1,9})*)(\.post\d+)?(\+\S+)?")


@dataclasses.dataclass(frozen=True)
class Releases:
    """The releases of a package that have a bug.

    Attributes:
        first_bad: The first one that has it.
        last_bad: The last one.
        first_good: The one after that, which has the fix.
    """

    first_bad: str
    last_bad: str
    first_good: str

    def include(self, release: str) -> bool:
        """Whether a release has the bug; a pre-release is not known to."""
        numbers = _numbers(release)
        return bool(numbers) and (
            _numbers(self.first_bad) <= numbers < _numbers(self.first_good)
        )


@dataclasses.dataclass(frozen=True)
class Remedy:
    """What a case can do about a bug.

    Attributes:
        words: What to do, as "set ... in the case".
        is_taken: Whether a case does it already.
    """

    words: str
    is_taken: Callable[[case_pb2.Case], bool]


@dataclasses.dataclass(frozen=True)
class KnownBug:
    """A bug.

    Attributes:
        package: The package that has it, as named in the environment.
        releases: The package's releases that have it.
        conclusions: What a run that has it comes to.
        signs: Each says, in a sentence, what of the bug shows in a run; None if
            it does not show.
        what: What those releases do, after their name.
        report: Where it was reported.
        remedies: What can be done besides taking a release that has the fix.
    """

    package: str
    releases: Releases
    conclusions: frozenset[verdict_pb2.Verdict.Conclusion]
    signs: tuple[Callable[[observations.Observations], str | None], ...]
    what: str
    report: str
    remedies: tuple[Remedy, ...] = ()

    def describe(self, case: case_pb2.Case) -> str:
        """What is known of it, and what is left for this case to do."""
        bad = self.releases
        ways = [
            *(one.words for one in self.remedies if not one.is_taken(case)),
            f"use {self.package} {bad.first_good} or newer",
        ]
        return (
            f"{self.package} {bad.first_bad} to {bad.last_bad} {self.what} "
            f"({self.report}, fixed in {bad.first_good}); {', or '.join(ways)}."
        )


KNOWN_BUGS = (
    KnownBug(
        package="megatron-core",
        releases=Releases("0.16.0", "0.18.2", "0.19.0"),
        conclusions=frozenset({_Verdict.CRASH, _Verdict.RESUME_DIVERGENCE}),
        signs=(group_collision.refused, group_collision.exchanged),
        what="match saved param groups by a key that leaves out their rates, "
        "so groups that differ by their rates alone collide on load",
        report="Megatron-LM #4705",
        remedies=(
            Remedy(
                "set optimizer.param_grouping: RESUMABLE in the case",
                lambda case: (
                    case.optimizer.param_grouping == case_pb2.RESUMABLE
                ),
            ),
        ),
    ),
)


def find(
    facts: observations.Observations, reached: verdict_pb2.Verdict.Conclusion
) -> str:
    """What is known of the cause of a failure; "" if nothing is.

    Args:
        facts: What is judged.
        reached: What was concluded. A bug may show beside another cause, and
            then explains nothing.
    """
    for bug in KNOWN_BUGS:
        releases = set(_releases(facts, bug.package))
        if (
            reached not in bug.conclusions
            or not releases
            or any(not bug.releases.include(release) for release in releases)
        ):
            continue
        for sign in bug.signs:
            shown = sign(facts)
            if shown is not None:
                return f"{shown} {bug.describe(facts.case)}"
    return ""


def _releases(facts: observations.Observations, package: str) -> Iterator[str]:
    """The package's releases that the ranks of attempt 1 report."""
    for timeline in facts.resumed.timelines.values():
        for started in timeline.started:
            if package in started.environment.versions:
                yield started.environment.versions[package]


def _numbers(release: str) -> tuple[int, ...]:
    """The numbers of a release, to be compared; none of a pre-release."""
    read = _RELEASE.fullmatch(release)
    numbers = [int(one) for one in read["numbers"].split(".")] if read else []
    # 0.19 is 0.19.0.
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
