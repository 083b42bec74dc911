"""The state entries that were not loaded as they were saved."""

from collections.abc import Sequence

from regress.oracle import verdict_pb2
from regress.report import same_findings, text_layout, wording

_SHOWN = 6
_INDENT = " " * 6
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
        lines += text_layout.wrap(wording.subject(finding), rank, _INDENT)
        change = _change(finding)
        lines += text_layout.wrap(change, _INDENT + "  ", _INDENT + "  ")
        if wording.explanation(finding) != explained:
            explained = wording.explanation(finding)
            lines += text_layout.wrap(explained, _INDENT, _INDENT)
    more = differing - sum(len(same.ranks) or 1 for same in shown)
    if more > 0:
        lines.append(f"{_INDENT}and {more:,} more")
    return lines


def _change(finding: verdict_pb2.Finding) -> str:
    """What differs: the descriptions, or else the digests."""
    saved = finding.expected.entries.entries
    loaded = finding.actual.entries.entries
    if len(saved) != 1 or len(loaded) != 1:
        return f"{wording.expected(finding)} -> {wording.actual(finding)}"
    before, after = saved[0], loaded[0]
    if before.description != after.description:
        return (
            f"{before.description or before.digest} -> "
            f"{after.description or after.digest}"
        )
    digests = f"{before.digest[:_DIGITS]}... -> {after.digest[:_DIGITS]}..."
    if not before.description:
        return digests
    return f"{before.description}, digest {digests}"
