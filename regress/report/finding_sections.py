"""Renders findings for a terminal, in one section per kind.

There are three kinds of findings: a state entry that was not loaded as it was
saved, a metric's value in one iteration, and everything else, called a fact.
"""

import enum
from collections.abc import Callable, Iterator, Sequence

from regress import terminal
from regress.oracle import rules, verdict_pb2
from regress.report import (
    checks,
    same_findings,
    summary,
    text_layout,
    wording,
)

_COMPARED = (verdict_pb2.REPLAY, verdict_pb2.GOLDEN)
_FACTS_SHOWN = 6
_FACTS_SHOWN_OF_CAUSE = 3
_FACTS_SHOWN_OF_OTHERS = 1
# Facts from these oracles are left to the table of checks unless they found the
# cause: that the digest of the whole state differs, too, adds nothing.
_LEFT_TO_TABLE = (verdict_pb2.REPLAY, verdict_pb2.GOLDEN)
_FACTS_INDENT = " " * 4
_ENTRIES_SHOWN = 6
_ENTRY_INDENT = " " * 6
_VALUES_SHOWN = 10
# Leaves room for the findings of other checks.
_VALUES_SHOWN_OF_A_CHECK = 6
_RANK_WIDTH = 7
_WHERE = f"{{:>9}}  {{:>{_RANK_WIDTH}}}  "
_METRIC_WIDTH = 34
_METRIC = f"{{:{_METRIC_WIDTH}}}  "
_ULPS_WIDTH = 12
_DISTANCE = f"{{:>9}}  {{:>9}}  {{:>{_ULPS_WIDTH}}}  "


class Kind(enum.Enum):
    """The kind of a finding.

    Attributes:
        STATE: A state entry that was not loaded as it was saved.
        VALUE: A metric's value in one iteration.
        FACT: Anything else.
    """

    STATE = enum.auto()
    VALUE = enum.auto()
    FACT = enum.auto()


def render(verdict: verdict_pb2.Verdict) -> Iterator[list[str]]:
    """Renders the findings of a verdict.

    Yields:
        The lines of each section. The section with the first finding is first.
    """
    empty = {
        (check.oracle, check.name)
        for check in verdict.checks
        if checks.status_of(check, verdict.conclusion) == checks.Status.NO_DATA
    }
    sections: dict[Kind, list[verdict_pb2.Finding]] = {}
    for finding in verdict.findings:
        # The table of checks already says which checks had no data.
        if (finding.oracle, finding.check) not in empty:
            sections.setdefault(classify(finding), []).append(finding)
    for kind, findings in sections.items():
        yield render_section(kind, findings, verdict)


def render_section(
    kind: Kind,
    findings: Sequence[verdict_pb2.Finding],
    verdict: verdict_pb2.Verdict,
) -> list[str]:
    """Renders findings of one kind.

    Args:
        kind: The kind of the findings.
        findings: All findings of that kind.
        verdict: The verdict that has the findings.

    Returns:
        The section's lines; empty if there is nothing to show.
    """
    return _SECTIONS[kind](findings, verdict)


def classify(finding: verdict_pb2.Finding) -> Kind:
    """Returns the kind of a finding."""
    if finding.oracle == verdict_pb2.STATE and finding.HasField("state_entry"):
        return Kind.STATE
    if finding.oracle in _COMPARED and finding.HasField("metric"):
        return Kind.VALUE
    return Kind.FACT


def _render_facts(
    findings: Sequence[verdict_pb2.Finding],
    verdict: verdict_pb2.Verdict,
) -> list[str]:
    """Renders findings of Kind.FACT.

    Args:
        findings: The findings of that kind.
        verdict: The verdict. Its first finding is the closest to the cause.

    Returns:
        Lines: a heading, and for each fact its subject, the expected and the
        actual value, and an explanation. Empty if there is nothing to show.
    """
    lines = []
    explained = ""
    # Used to skip explanations that the summary already contains.
    said = summary.summarize(verdict)
    for same in _first_facts(findings, verdict):
        finding = same.first
        where = f", {same.where()}" if same.where() else ""
        lines += text_layout.wrap(
            f"{wording.subject(finding)}{where}", "  ", _FACTS_INDENT
        )
        for name, text in (
            ("expected", wording.expected(finding)),
            ("actual", wording.actual(finding)),
        ):
            lines += text_layout.wrap(
                text, f"{_FACTS_INDENT}{name:8}  ", f"{_FACTS_INDENT}{'':8}  "
            )
        explanation = wording.explanation(finding)
        if explanation != explained and explanation.rstrip(".") not in said:
            lines += text_layout.wrap(explanation, _FACTS_INDENT, _FACTS_INDENT)
        explained = explanation
    return ["What was found:", *lines] if lines else []


def _first_facts(
    findings: Sequence[verdict_pb2.Finding],
    verdict: verdict_pb2.Verdict,
) -> list[same_findings.SameFindings]:
    shown = []
    left = {
        (cause.oracle, cause.check): _FACTS_SHOWN_OF_CAUSE
        for cause in verdict.findings[:1]
    }
    for same in same_findings.merge(findings):
        check = same.first.oracle, same.first.check
        room = 0 if check[0] in _LEFT_TO_TABLE else _FACTS_SHOWN_OF_OTHERS
        if left.setdefault(check, room):
            left[check] -= 1
            shown.append(same)
    return shown[:_FACTS_SHOWN]


def _render_states(
    findings: Sequence[verdict_pb2.Finding],
    verdict: verdict_pb2.Verdict,
) -> list[str]:
    """Renders findings of Kind.STATE.

    Args:
        findings: The findings of that kind.
        verdict: The verdict, whose checks count the entries that differ.

    Returns:
        Lines: for each check a heading, and two lines for each of the first
        few entries.
    """
    by_check: dict[str, list[verdict_pb2.Finding]] = {}
    for finding in findings:
        by_check.setdefault(finding.check, []).append(finding)
    return [
        line
        for check, of_check in by_check.items()
        for line in _render_states_of(check, of_check, verdict)
    ]


# What the entries are that a check of states found, and what it compared.
_OF_STATES = {
    rules.STATE_RESTORED.name: (
        "Loaded state that is not the saved state",
        "saved -> loaded",
    ),
    rules.SAVED_STATE_KEPT.name: (
        "State that changed after a save, before the next step",
        "saved -> trained on",
    ),
    rules.END_STATE.name: (
        "Checkpoint of the end that is not the uninterrupted run's",
        "uninterrupted -> resumed",
    ),
    rules.OBSERVED_LOADED.name: (
        "What was loaded and is not what was saved",
        "saved -> loaded",
    ),
    rules.OBSERVED_BEGUN.name: (
        "State as the resume begins that is not the uninterrupted run's",
        "uninterrupted -> resumed",
    ),
    rules.OBSERVED_SAVES.name: (
        "What a resume saves and the uninterrupted run does not",
        "uninterrupted -> resumed",
    ),
    rules.LOADED_STATE_KEPT.name: (
        "State that changed after a load, before the next step",
        "loaded -> trained on",
    ),
}


def _render_states_of(
    check: str,
    findings: Sequence[verdict_pb2.Finding],
    verdict: verdict_pb2.Verdict,
) -> list[str]:
    counts = [one for one in verdict.checks if one.name == check]
    differing = sum(one.differing for one in counts)
    compared = sum(one.compared for one in counts)
    shown = same_findings.merge(findings)[:_ENTRIES_SHOWN]
    what, sides = _OF_STATES[check]
    lines = [
        f"{what}, {differing:,} of {compared:,} entries:",
        f"rank  entry, {sides}",
    ]
    iteration = None
    explained: tuple[str, ...] = ()
    for same in shown:
        finding = same.first
        # Of a checkpoint after the case's last step, too.
        of = finding.iteration or finding.after_iteration
        if of != iteration:
            iteration = of
            lines.append(f"of iteration {iteration}")
        rank = f"{text_layout.numbers(same.ranks):>4}  "
        lines += text_layout.wrap(wording.subject(finding), rank, _ENTRY_INDENT)
        of_rank = f"{same.of_rank()}: " if same.of_rank() else ""
        lines += text_layout.wrap(
            of_rank + _change(finding),
            _ENTRY_INDENT + "  ",
            _ENTRY_INDENT + "  ",
        )
        if same.explanations != explained:
            explained = same.explanations
            for explanation in explained:
                lines += text_layout.wrap(
                    explanation, _ENTRY_INDENT, _ENTRY_INDENT
                )
    more = differing - sum(len(same.ranks) or 1 for same in shown)
    if more > 0:
        lines.append(f"{_ENTRY_INDENT}and {more:,} more")
    return lines


def _change(finding: verdict_pb2.Finding) -> str:
    """Returns both values; a description that both have is told once."""
    saved, loaded = wording.expected(finding), wording.actual(finding)
    shared, found, _ = saved.rpartition("digest ")
    if found and loaded.startswith(f"{shared}{found}"):
        return f"{saved} -> {loaded.removeprefix(shared + found)}"
    return f"{saved} -> {loaded}"


def _render_values(
    findings: Sequence[verdict_pb2.Finding],
    verdict: verdict_pb2.Verdict,
) -> list[str]:
    """Renders findings of Kind.VALUE.

    The expected value is right above the actual one, so that the first digit
    that differs is easy to spot.

    Args:
        findings: The findings of that kind.
        verdict: The verdict, whose checks count the values that differ.

    Returns:
        Lines: a heading, and for each check its counts and at least two lines
        for each of its first values.
    """
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
    left = _VALUES_SHOWN
    for check, values in by_check.items():
        shown = values[: min(left, _VALUES_SHOWN_OF_A_CHECK)]
        if shown:
            lines += _heading(check, verdict.checks)
        for same in shown:
            lines += _value(same)
        left -= len(shown)
    return lines


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
    if same.of_rank():
        lines[-1] += f" ({same.of_rank()})"
    where = _WHERE.format(finding.iteration, _ranks(same.ranks))
    return [where + lines[0][len(indent) :], *lines[1:]]


def _short(value: verdict_pb2.Value) -> str:
    return terminal.printable(wording.short_value(value))


def _ranks(ranks: Sequence[int]) -> str:
    text = text_layout.numbers(ranks)
    return text if len(text) <= _RANK_WIDTH else "several"


def _distance(finding: verdict_pb2.Finding) -> str:
    return _DISTANCE.format(
        _number(finding.absolute) if finding.HasField("absolute") else "-",
        _number(finding.relative) if finding.HasField("relative") else "-",
        f"{finding.ulps:,}" if finding.HasField("ulps") else "-",
    )


def _number(distance: float) -> str:
    return f"{distance:.3g}"


_Section = Callable[
    [Sequence[verdict_pb2.Finding], verdict_pb2.Verdict], list[str]
]
_SECTIONS: dict[Kind, _Section] = {
    Kind.STATE: _render_states,
    Kind.VALUE: _render_values,
    Kind.FACT: _render_facts,
}
