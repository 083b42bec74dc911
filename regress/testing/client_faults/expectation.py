"""What the verdicts on faults must be, and how one differs from that.

testdata/expected.csv has a line for each fault, client and depth. Somebody has
read each verdict of it beside what the fault does.
"""

import csv
import dataclasses
import pathlib
from collections.abc import Iterator

from regress.oracle import verdict_pb2
from regress.report import wording

PATH = pathlib.Path("regress/testing/client_faults/testdata/expected.csv")

# The columns.
_FAULT = "fault"
_CLIENT = "client"
_DEPTH = "depth"


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a verdict says, or must say. Each is "" if there is none.

    Attributes:
        conclusion: Name of a `Verdict.Conclusion`.
        culprit: The subject of the first finding.
        rank: Its rank.
        first_bad: The first bad iteration.
    """

    conclusion: str
    culprit: str
    rank: str
    first_bad: str


# By fault, client and depth.
Table = dict[tuple[str, str, int], Expected]


def read() -> Table:
    """Returns what all verdicts must be."""
    with open(PATH, encoding="utf-8", newline="") as file:
        return {
            (row.pop(_FAULT), row.pop(_CLIENT), int(row.pop(_DEPTH))): Expected(
                **row
            )
            for row in csv.DictReader(file)
        }


def describe(verdict: verdict_pb2.Verdict) -> Expected:
    """Returns what a verdict says."""
    first = next(iter(verdict.findings), None)
    return Expected(
        conclusion=verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion),
        culprit=wording.subject(first) if first else "",
        rank=str(first.rank) if first and first.HasField("rank") else "",
        first_bad=str(verdict.first_bad_iteration)
        if verdict.HasField("first_bad_iteration")
        else "",
    )


def mismatches(
    expected: Expected, verdict: verdict_pb2.Verdict
) -> Iterator[str]:
    """Yields what about a verdict is not as it must be."""
    actual = describe(verdict)
    for field in dataclasses.fields(Expected):
        one, other = getattr(expected, field.name), getattr(actual, field.name)
        if one != other:
            yield (
                f"{field.name}: expected {one or 'none'}, actual "
                f"{other or 'none'}"
            )
