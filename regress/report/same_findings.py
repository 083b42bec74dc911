"""Merges findings that are about the same thing.

All ranks report the same gradient norm, and a step that ran twice is compared
with both attempt 0 and the golden. State that was lost was lost on every rank,
and each rank had its own. The reader should see such a difference only once,
and with it all ranks that show it.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from regress.oracle import subjects, verdict_pb2
from regress.report import text_layout, wording

# What two checks need not agree on to say the same.
_OF_THE_CHECK = ("oracle", "check", "progress")


@dataclasses.dataclass(frozen=True)
class SameFindings:
    """Findings about one subject.

    Attributes:
        first: The first of the findings.
        ranks: The ranks of all findings, ascending.
        alike: Whether the values are those of `first` on all ranks.
        explanations: What the findings mean, each thing once.
    """

    first: verdict_pb2.Finding
    ranks: tuple[int, ...]
    alike: bool
    explanations: tuple[str, ...]

    def where(self) -> str:
        """Returns "attempt 1, ranks 0-3, iteration 4", or less of it."""
        parts = [name] if (name := wording.attempt(self.first)) else []
        if self.ranks:
            plural = "s" if len(self.ranks) > 1 else ""
            parts.append(f"rank{plural} {text_layout.numbers(self.ranks)}")
        if when := wording.when(self.first):
            parts.append(when)
        return ", ".join(parts)

    def of_rank(self) -> str:
        """Returns whose values are shown; "" if all ranks have the same."""
        return "" if self.alike else f"of rank {self.first.rank}"


def merge(findings: Iterable[verdict_pb2.Finding]) -> list[SameFindings]:
    """Merges findings, in the order of their first occurrence.

    Findings of one check are merged if they are about the same metric or state
    entry in the same iteration, whatever its values. Facts are merged if their
    values are the same, too, unless these are digests: how each rank ended
    matters. Findings of two checks are merged if the second says nothing that
    the first does not say.
    """
    by_check: dict[tuple[int, str, bytes], list[verdict_pb2.Finding]] = {}
    for finding in findings:
        key = finding.oracle, finding.check, _subject(finding)
        by_check.setdefault(key, []).append(finding)
    merged: list[list[verdict_pb2.Finding]] = []
    by_subject: dict[bytes, list[list[verdict_pb2.Finding]]] = {}
    for (_, _, subject), found in by_check.items():
        groups = by_subject.setdefault(subject, [])
        said = set(map(_what_it_says, found))
        for group in groups:
            if said <= set(map(_what_it_says, group)):
                group += found
                break
        else:
            groups.append(found)
            merged.append(found)
    return [_merged(group) for group in merged]


def _merged(found: Sequence[verdict_pb2.Finding]) -> SameFindings:
    return SameFindings(
        found[0],
        tuple(sorted({one.rank for one in found if one.HasField("rank")})),
        len(set(map(_what_it_says, found))) == 1,
        tuple(dict.fromkeys(filter(None, map(wording.explanation, found)))),
    )


def _subject(finding: verdict_pb2.Finding) -> bytes:
    if finding.HasField("fact") and not finding.expected.HasField("digest"):
        return _what_it_says(finding)
    return subjects.identify(finding)


def _what_it_says(finding: verdict_pb2.Finding) -> bytes:
    said = verdict_pb2.Finding()
    said.CopyFrom(finding)
    for field in ("rank", "origin", *_OF_THE_CHECK):
        said.ClearField(field)
    return said.SerializeToString(deterministic=True)
