"""The state entries that were not loaded as they were saved."""

import re
from collections.abc import Sequence

from regress.oracle import verdict_pb2
from regress.report import same_findings, text_layout

_SHOWN = 6
_INDENT = " " * 6
_ENTRY = re.compile(r"([0-9a-f]{32})(?: (.+))?")
# As many digits of a digest as a metric has.
_DIGITS = 12


def render(
    findings: Sequence[verdict_pb2.Finding],
    verdict: verdict_pb2.Verdict,
) -> list[str]:
    """Renders findings of Kind.STATE.

    Args:
        findings: The findings of that kind.
        verdict: The verdict, whose counts tell how many entries differ.

    Returns:
        Lines: a heading, and two for each of the first few entries.
    """
    counts = [
        check for check in verdict.checks if check.oracle == verdict_pb2.STATE
    ]
    differing = sum(check.differing for check in counts)
    compared = sum(check.compared for check in counts)
    shown = same_findings.merge(findings)[:_SHOWN]
    lines = [
        f"Loaded state that is not the saved state, {differing:,} of"
        f" {compared:,} entries:",
        "rank  entry, saved -> loaded",
    ]
    iteration, explained = None, ""
    for same in shown:
        finding = same.first
        if finding.iteration != iteration:
            iteration = finding.iteration
            lines.append(f"of iteration {iteration}")
        rank = f"{text_layout.numbers(same.ranks):>4}  "
        lines += text_layout.wrap(finding.subject, rank, _INDENT)
        change = _change(finding.expected, finding.actual)
        lines += text_layout.wrap(change, _INDENT + "  ", _INDENT + "  ")
        if finding.explanation != explained:
            explained = finding.explanation
            lines += text_layout.wrap(explained, _INDENT, _INDENT)
    more = differing - sum(len(same.ranks) or 1 for same in shown)
    if more > 0:
        lines.append(f"{_INDENT}and {more:,} more")
    return lines


def _change(saved: str, loaded: str) -> str:
    """What differs: the descriptions, or else the digests."""
    before, after = _ENTRY.fullmatch(saved), _ENTRY.fullmatch(loaded)
    if before is None or after is None:
        return f"{saved} -> {loaded}"
    if before[2] != after[2]:
        return f"{before[2] or before[1]} -> {after[2] or after[1]}"
    digests = f"{before[1][:_DIGITS]}... -> {after[1][:_DIGITS]}..."
    return f"{before[2]}, digest {digests}" if before[2] else digests
