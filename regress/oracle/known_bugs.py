"""Recognizes bugs that others have reported, by their signs in a run record.

A table says how each bug shows, which releases have it, and what to do about
it. A bug is named only if everything that was recorded fits it: a pointer to
the wrong bug costs the reader more than no pointer.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from packaging import version

from regress.case import case_pb2
from regress.oracle import group_collision, observations, verdict_pb2

_Verdict = verdict_pb2.Verdict


@dataclasses.dataclass(frozen=True)
class Releases:
    """The releases of a package that have a bug.

    Attributes:
        first_bad: The first release with the bug.
        last_bad: The last release with the bug.
        first_good: The release after that, which has the fix.
    """

    first_bad: str
    last_bad: str
    first_good: str

    def include(self, release: str) -> bool:
        """Whether a release has the bug.

        False for a pre-release and for any other string that is not a release
        number: nobody knows whether it has the bug.
        """
        try:
            found = version.Version(release)
        except ValueError:
            return False
        return not found.is_prerelease and (
            version.Version(self.first_bad)
            <= found
            < version.Version(self.first_good)
        )


@dataclasses.dataclass(frozen=True)
class KnownBug:
    """A bug.

    Attributes:
        package: The package that has it, as named in the environment.
        releases: The package's releases that have it.
        conclusions: The conclusions of runs that the bug affects.
        signs: Functions that look for a sign of the bug in a run, and return
            None if there is none. Keys are the fields of `sign` in the
            `KnownBug` proto.
        report: Where it was reported.
        remedies: What a user can do besides taking a release with the fix. Each
            value says whether a case does so already.
    """

    package: str
    releases: Releases
    conclusions: frozenset[verdict_pb2.Verdict.Conclusion]
    signs: Mapping[
        str,
        Callable[
            [observations.Observations], verdict_pb2.GroupCollision | None
        ],
    ]
    report: str
    remedies: Mapping[
        verdict_pb2.KnownBug.Remedy, Callable[[case_pb2.Case], bool]
    ]

    def describe(self, case: case_pb2.Case) -> verdict_pb2.KnownBug:
        """Describes the bug, with the remedies that the case does not use."""
        return verdict_pb2.KnownBug(
            report=self.report,
            package=self.package,
            first_bad=self.releases.first_bad,
            last_bad=self.releases.last_bad,
            first_good=self.releases.first_good,
            remedies=[
                remedy
                for remedy, is_taken in self.remedies.items()
                if not is_taken(case)
            ],
        )


KNOWN_BUGS = (
    KnownBug(
        package="megatron-core",
        releases=Releases("0.16.0", "0.18.2", "0.19.0"),
        conclusions=frozenset({_Verdict.CRASH, _Verdict.RESUME_DIVERGENCE}),
        signs={
            "refused": group_collision.refused,
            "exchanged": group_collision.exchanged,
        },
        report="Megatron-LM #4705",
        remedies={
            verdict_pb2.KnownBug.RESUMABLE_PARAM_GROUPING: lambda case: (
                case.optimizer.param_grouping == case_pb2.RESUMABLE
            ),
        },
    ),
)


def find(
    observed: observations.Observations, reached: verdict_pb2.Verdict.Conclusion
) -> verdict_pb2.KnownBug | None:
    """Returns the known bug that explains a failure, or None.

    Args:
        observed: The indexed case, run record and golden.
        reached: The conclusion. A bug may show in a run that failed for another
            reason, and then explains nothing.
    """
    for bug in KNOWN_BUGS:
        releases = set(_releases(observed, bug.package))
        if (
            reached not in bug.conclusions
            or not releases
            or any(not bug.releases.include(release) for release in releases)
        ):
            continue
        for field, sign in bug.signs.items():
            shown = sign(observed)
            if shown is not None:
                known = bug.describe(observed.case)
                getattr(known, field).CopyFrom(shown)
                return known
    return None


def _releases(
    observed: observations.Observations, package: str
) -> Iterator[str]:
    """Yields the package's releases that the ranks of attempt 1 report."""
    for timeline in observed.attempt(1).timelines.values():
        for started in timeline.started:
            if package in started.environment.versions:
                yield started.environment.versions[package]
