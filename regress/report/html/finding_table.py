"""Prepares the findings for the page: a table for each check.

Ranks and attempts that say the same share a row, as on the console, and the
first digit that differs is marked.
"""

import dataclasses
from collections.abc import Sequence

from regress.oracle import verdict_pb2
from regress.report import same_findings, summary, text_layout, wording
from regress.report.html import marking

# This many findings of a check are visible; a click shows the rest.
_OPEN = 6


@dataclasses.dataclass(frozen=True)
class Row:
    """Findings about one subject.

    Attributes:
        subject: What it is about.
        iteration: The iteration; "" if it is about none.
        attempt: The attempt; "" if it is about none.
        ranks: The ranks, as "ranks 0-3"; "" if it is about none.
        of_rank: Whose values are shown; "" if all ranks have the same.
        expected: The expected value.
        actual: The actual value.
        distance: How far apart they are, as "1.1 absolute"; may be empty.
        explanations: What it means.
    """

    subject: str
    iteration: str
    attempt: str
    ranks: str
    of_rank: str
    expected: marking.Marked
    actual: marking.Marked
    distance: tuple[str, ...]
    explanations: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Table:
    """The findings of one check.

    Attributes:
        oracle: The oracle's name.
        check: The check's name.
        count: "5 of 126 differ".
        first: The rows that are always visible.
        rest: The others.
    """

    oracle: str
    check: str
    count: str
    first: Sequence[Row]
    rest: Sequence[Row]


def build(verdict: verdict_pb2.Verdict) -> list[Table]:
    """Returns the tables, in the order of the verdict's findings."""
    groups: dict[tuple[verdict_pb2.Oracle, str], list[verdict_pb2.Finding]] = {}
    for finding in verdict.findings:
        groups.setdefault((finding.oracle, finding.check), []).append(finding)
    counts = {
        (check.oracle, check.name): (
            f"{check.differing:,} of {check.compared:,} differ"
        )
        for check in verdict.checks
    }
    said = summary.summarize(verdict)
    tables = []
    for (oracle, check), findings in groups.items():
        rows = [_row(same, said) for same in same_findings.merge(findings)]
        name = verdict_pb2.Oracle.Name(findings[0].oracle)
        tables.append(
            Table(
                text_layout.words(name),
                check,
                counts.get((oracle, check), ""),
                rows[:_OPEN],
                rows[_OPEN:],
            )
        )
    return tables


def _row(same: same_findings.SameFindings, said: str) -> Row:
    finding = same.first
    before, after = _digits(finding.expected), _digits(finding.actual)
    if before and after and before != after:
        expected, actual = marking.mark(before, after)
    else:
        expected = marking.Marked(wording.expected(finding))
        actual = marking.Marked(wording.actual(finding))
    return Row(
        wording.subject(finding),
        str(finding.iteration) if finding.HasField("iteration") else "",
        wording.attempt(finding),
        _ranks(same.ranks),
        same.of_rank(),
        expected,
        actual,
        tuple(_distance(finding)),
        # The summary stands above; it may say it already.
        tuple(one for one in same.explanations if one.rstrip(".") not in said),
    )


def _ranks(ranks: Sequence[int]) -> str:
    if not ranks:
        return ""
    plural = "s" if len(ranks) > 1 else ""
    return f"rank{plural} {text_layout.numbers(ranks)}"


def _digits(one: verdict_pb2.Value) -> str:
    """Returns a number or a digest, in the digits that a table has room for.

    Returns:
        The text; "" if the value is neither.
    """
    match one.WhichOneof("kind"):
        case "number":
            return wording.short_value(one)
        case "digest":
            return one.digest[: wording.DIGITS]
        case "entries":
            texts = [entry.description for entry in one.entries.entries]
            return texts[0] if len(texts) == 1 and _is_number(texts[0]) else ""
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _distance(finding: verdict_pb2.Finding) -> list[str]:
    parts = [
        f"{getattr(finding, field):.3g} {field}"
        for field in ("absolute", "relative")
        if finding.HasField(field)
    ]
    if finding.HasField("ulps"):
        parts.append(f"{finding.ulps:,} ulps")
    return parts
