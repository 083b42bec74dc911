"""The table of the first few values that differ."""

import collections
from collections.abc import Sequence

from regress.oracle import verdict_pb2
from regress.report import same_findings, text_layout, wording

_SHOWN = 10
# So that one check leaves room for what another one found.
_SHOWN_OF_A_CHECK = 6
_RANK_WIDTH = 7
_WHERE = f"{{:>9}}  {{:>{_RANK_WIDTH}}}  "
_METRIC_WIDTH = 34
_METRIC = f"{{:{_METRIC_WIDTH}}}  "
_ULPS_WIDTH = 12
_DISTANCE = f"{{:>9}}  {{:>9}}  {{:>{_ULPS_WIDTH}}}  "


def render(
    findings: Sequence[verdict_pb2.Finding],
    verdict: verdict_pb2.Verdict,
) -> list[str]:
    """Renders findings of Kind.VALUE.

    The expected value stands right above the actual one, so that the eye finds
    the digit in which they part.

    Args:
        findings: The findings of that kind.
        verdict: The verdict, for its counts.

    Returns:
        Lines: a heading, and for each check its counts and two lines or more
        for each of its first values.
    """
    found = collections.Counter(
        (finding.oracle, finding.check) for finding in findings
    )
    by_check: dict[
        tuple[verdict_pb2.Oracle, str], list[same_findings.SameFindings]
    ] = {}
    for same in same_findings.merge(findings):
        check = same.first.oracle, same.first.check
        by_check.setdefault(check, []).append(same)
    lines = [
        "First values that differ:",
        _WHERE.format("iteration", "rank")
        + _METRIC.format("metric")
        + "expected",
        _WHERE.format("", "")
        + _DISTANCE.format("absolute", "relative", "ulps")
        + "actual",
    ]
    left = _SHOWN
    for check, values in by_check.items():
        if len(values) > 1 and found[check] < _differing(check, verdict):
            # The oracle has kept only the first findings: the last value may
            # differ on more ranks than it knows.
            values.pop()
        shown = values[: min(left, _SHOWN_OF_A_CHECK)]
        if shown:
            lines += _heading(check, verdict.checks)
        for same in shown:
            lines += _value(same)
        left -= len(shown)
    return lines


def _differing(
    name: tuple[verdict_pb2.Oracle, str], verdict: verdict_pb2.Verdict
) -> int:
    return sum(
        check.differing
        for check in verdict.checks
        if (check.oracle, check.name) == name
    )


def _heading(
    name: tuple[verdict_pb2.Oracle, str], checks: Sequence[verdict_pb2.Check]
) -> list[str]:
    oracle = text_layout.words(verdict_pb2.Oracle.Name(name[0]))
    counts = "".join(
        f" ({check.differing:,} of {check.compared:,} differ)"
        for check in checks
        if (check.oracle, check.name) == name
    )
    return text_layout.wrap(f"{oracle}, {name[1]}{counts}", others="  ")


def _value(same: same_findings.SameFindings) -> list[str]:
    finding = same.first
    indent = _WHERE.format("", "")
    *names, name = text_layout.wrap(
        wording.subject(finding), width=_METRIC_WIDTH
    ) or [""]
    lines = [f"{indent}{one}" for one in names]
    lines += [
        indent + _METRIC.format(name) + _short(finding.expected),
        indent + _distance(finding) + _short(finding.actual),
    ]
    where = _WHERE.format(finding.iteration, _ranks(same.ranks))
    return [where + lines[0][len(indent) :], *lines[1:]]


def _short(value: verdict_pb2.Value) -> str:
    return text_layout.printable(wording.short_value(value))


def _ranks(ranks: Sequence[int]) -> str:
    text = text_layout.numbers(ranks)
    return text if len(text) <= _RANK_WIDTH else "several"


def _distance(finding: verdict_pb2.Finding) -> str:
    return _DISTANCE.format(
        _number(finding.absolute) if finding.HasField("absolute") else "-",
        _number(finding.relative) if finding.HasField("relative") else "-",
        _ulps(finding) if finding.HasField("ulps") else "-",
    )


def _number(distance: float) -> str:
    return f"{distance:.3g}"


def _ulps(finding: verdict_pb2.Finding) -> str:
    if finding.ulps == 0 and finding.absolute > 0:
        # Both round to one number of their precision.
        return "<1"
    text = f"{finding.ulps:,}"
    return text if len(text) <= _ULPS_WIDTH else _number(finding.ulps)
