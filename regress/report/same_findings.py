"""Findings that say the same of several ranks, as one.

A gradient's norm is the same on all ranks, and a step that ran twice is held
against attempt 0 and against the golden. A reader needs to be told once.
"""

import dataclasses
from collections.abc import Iterable

from regress.oracle import verdict_pb2
from regress.report import text_layout, wording


@dataclasses.dataclass(frozen=True)
class SameFindings:
    """Findings that differ in nothing but the rank and the check.

    Attributes:
        first: The first of them.
        ranks: The ranks that they name, ascending.
    """

    first: verdict_pb2.Finding
    ranks: tuple[int, ...]

    def where(self) -> str:
        """As "attempt 1, ranks 0-3, iteration 4"; "" if they name nothing."""
        parts = [name] if (name := wording.attempt(self.first)) else []
        if self.ranks:
            plural = "s" if len(self.ranks) > 1 else ""
            parts.append(f"rank{plural} {text_layout.numbers(self.ranks)}")
        if self.first.HasField("iteration"):
            parts.append(f"iteration {self.first.iteration}")
        return ", ".join(parts)


def merge(findings: Iterable[verdict_pb2.Finding]) -> list[SameFindings]:
    """Draws findings together, in the order of the first ones."""
    together: dict[bytes, list[verdict_pb2.Finding]] = {}
    for finding in findings:
        together.setdefault(_what_it_says(finding), []).append(finding)
    return [
        SameFindings(
            same[0],
            tuple(sorted({one.rank for one in same if one.HasField("rank")})),
        )
        for same in together.values()
    ]


def _what_it_says(finding: verdict_pb2.Finding) -> bytes:
    said = verdict_pb2.Finding()
    said.CopyFrom(finding)
    for field in ("rank", "oracle", "check", "progress"):
        said.ClearField(field)
    # Where a rank's state comes from is of that rank.
    if finding.HasField("origin"):
        said.rank = finding.rank
    return said.SerializeToString(deterministic=True)
