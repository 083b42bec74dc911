"""Merges findings that say the same about several ranks.

All ranks report the same gradient norm, and a step that ran twice is compared
with both attempt 0 and the golden. The reader should see such a difference only
once.
"""

import dataclasses
from collections.abc import Iterable

from regress.oracle import verdict_pb2
from regress.report import text_layout, wording


@dataclasses.dataclass(frozen=True)
class SameFindings:
    """Findings that differ only in the rank and the check.

    Attributes:
        first: The first of the findings.
        ranks: The ranks of all findings, ascending.
    """

    first: verdict_pb2.Finding
    ranks: tuple[int, ...]

    def where(self) -> str:
        """Returns "attempt 1, ranks 0-3, iteration 4", or less of it."""
        parts = [name] if (name := wording.attempt(self.first)) else []
        if self.ranks:
            plural = "s" if len(self.ranks) > 1 else ""
            parts.append(f"rank{plural} {text_layout.numbers(self.ranks)}")
        if when := wording.when(self.first):
            parts.append(when)
        return ", ".join(parts)


def merge(findings: Iterable[verdict_pb2.Finding]) -> list[SameFindings]:
    """Merges findings, in the order of their first occurrence."""
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
    # The origin of a state is specific to its rank, so keep the rank.
    if finding.HasField("origin"):
        said.rank = finding.rank
    return said.SerializeToString(deterministic=True)
