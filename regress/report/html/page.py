"""Renders the HTML report: one file without scripts or network access.

The verdict and the findings come first, then the curves, the loaded state, the
checks, the processes and the environment. A page of goldens has only the parts
that apply to goldens.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jinja2
import markupsafe

from regress.golden import errors, golden_pb2, series
from regress.oracle import verdict_pb2
from regress.report import (
    checks,
    next_steps,
    resume_costs,
    same_findings,
    summary,
    text_layout,
    wording,
)
from regress.report.html import (
    chart,
    curves,
    differences,
    environment_table,
    interruption_span,
    state_grid,
    timeline,
)
from regress.run import run_pb2

_FOLDER = pathlib.Path(__file__).parent
_METRICS = ("lm loss", "grad norm")
# This many findings of a check are visible; a click shows the rest.
_FINDINGS_OPEN = 3


@dataclasses.dataclass(frozen=True)
class _Chart:
    title: str
    note: str
    drawn: chart.Chart | None

    @property
    def svg(self) -> str:
        return self.drawn.svg if self.drawn else ""

    @property
    def keys(self) -> list[chart.Key]:
        return self.drawn.keys if self.drawn else []


def render(
    verdict: verdict_pb2.Verdict,
    run: run_pb2.RunRecord,
    golden: golden_pb2.Golden | None,
    following: next_steps.NextSteps | None = None,
) -> str:
    """Renders a verdict with its run and its golden.

    Args:
        verdict: The oracle's verdict.
        run: The run record, which may be incomplete.
        golden: The golden that the run was compared with; None if there is
            none.
        following: What to do next; None if there is nothing to do.

    Returns:
        The text of an HTML file.
    """
    passed = verdict.conclusion == verdict_pb2.Verdict.PASS
    name = text_layout.words(
        verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion)
    )
    ran = interruption_span.from_run(run)
    recorded = {
        f"attempt {attempt.index}": series.from_attempt(attempt)
        for attempt in run.attempts
    }
    found = [
        event.started.environment
        for attempt in run.attempts[:1]
        for rank in attempt.ranks
        for event in rank.events
        if event.HasField("started")
    ]
    columns = [("this run", found[0] if found else run_pb2.Environment())]
    if golden is not None:
        columns.append(("golden", golden.provenance.environment))
    return _page(
        title=f"{'PASS' if passed else name}: {run.case.name}",
        good=passed,
        headline="PASS" if passed else f"FAIL: {name}",
        where=_where(verdict),
        subject=f"{run.case.name}, {_described(golden)}",
        summary=text_layout.sentence(summary.summarize(verdict)),
        known_bug=summary.known_bug(verdict),
        environment_differences=[
            wording.environment_difference(difference)
            for difference in verdict.environment_differences
        ],
        steps=following.steps if following else (),
        record=following.record if following else "",
        findings=list(_finding_groups(verdict)),
        interruption=_interruption(ran),
        charts=_charts(
            _series(golden), recorded, ran, run.case.training.iterations
        ),
        grid=state_grid.from_verdict(verdict),
        checks=[_check(check, verdict) for check in verdict.checks],
        timeline=_Chart("", "", timeline.draw(timeline.of_run(run))),
        resume_costs=resume_costs.rows(verdict),
        environment=environment_table.build(columns),
        history=golden.history if golden is not None else (),
    )


def _described(golden: golden_pb2.Golden | None) -> str:
    if golden is None:
        return "no golden"
    return (
        f"golden {golden.channel} {golden.hardware}, recorded "
        f"{golden.provenance.date}"
    )


def _series(golden: golden_pb2.Golden | None) -> series.Trajectories | None:
    if golden is None:
        return None
    try:
        return series.unfold(golden.series)
    except errors.GoldenError:
        # The verdict already reports this error.
        return {}


def render_goldens(
    golden: golden_pb2.Golden, other: golden_pb2.Golden | None
) -> str:
    """Renders a golden's curves, with another golden's over them if given."""
    name = f"{golden.case_name}, {golden.channel} {golden.hardware}"
    others = {"the other": series.unfold(other.series)} if other else {}
    columns = [("golden", golden.provenance.environment)]
    if other:
        columns.append(("other", other.provenance.environment))
        name += f", compared with {other.channel} {other.hardware}"
    return _page(
        title=name,
        good=True,
        headline="Golden",
        subject=name,
        charts=_charts(
            series.unfold(golden.series), others, [], golden.iterations
        ),
        environment=environment_table.build(columns),
        history=golden.history,
    )


def _page(**values: Any) -> str:
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(_FOLDER),
        trim_blocks=True,
        undefined=jinja2.ChainableUndefined,
    )
    style = markupsafe.Markup((_FOLDER / "style.css").read_text())
    return environment.get_template("page.html.jinja").render(
        style=style, **values
    )


def _where(verdict: verdict_pb2.Verdict) -> str:
    if not verdict.HasField("first_bad_iteration"):
        return ""
    return f"first bad iteration: {verdict.first_bad_iteration}"


def _interruption(ran: Sequence[interruption_span.InterruptionSpan]) -> str:
    parts = []
    for one in ran:
        if one.interrupted_in is not None:
            parts.append(f"{one.signal} in iteration {one.interrupted_in}")
        if one.resumed_from is not None:
            parts.append(f"resumed from the checkpoint of {one.resumed_from}")
    if len(parts) > 1:
        parts.append("iterations that ran twice are shaded")
    return text_layout.sentence(", ".join(parts))


def _charts(
    golden: series.Trajectories | None,
    recorded: Mapping[str, series.Trajectories],
    ran: Sequence[interruption_span.InterruptionSpan],
    last: int,
) -> list[_Chart]:
    expected = {} if golden is None else golden
    charts = [
        _Chart(metric, "", curves.draw_metric(metric, expected, recorded, ran))
        for metric in _METRICS
    ]
    pale = "" if golden is None else "; the golden is pale"
    charts.append(
        _Chart(
            "learning rate",
            f"of each param group{pale}",
            curves.draw_rates(expected, recorded, ran),
        )
    )
    if recorded and golden is not None:
        charts.append(
            _Chart(
                "difference from the golden",
                "in units in the last place; 0 is the golden's own bits",
                differences.draw(golden, recorded, ran, last),
            )
        )
    return [one for one in charts if one.svg]


def _finding_groups(
    verdict: verdict_pb2.Verdict,
) -> Iterator[Mapping[str, object]]:
    """Yields the findings of each check, in the verdict's order."""
    groups: dict[tuple[object, str], list[verdict_pb2.Finding]] = {}
    for finding in verdict.findings:
        groups.setdefault((finding.oracle, finding.check), []).append(finding)
    counts: dict[tuple[object, str], str] = {
        (check.oracle, check.name): f"{check.differing} of {check.compared}"
        for check in verdict.checks
    }
    for key, findings in groups.items():
        oracle = verdict_pb2.Oracle.Name(findings[0].oracle)
        shown = [_finding(one) for one in same_findings.merge(findings)]
        yield {
            "check": f"{text_layout.words(oracle)}: {key[1]}",
            "count": counts.get(key, ""),
            "first": shown[:_FINDINGS_OPEN],
            "rest": shown[_FINDINGS_OPEN:],
        }


def _finding(same: same_findings.SameFindings) -> Mapping[str, str]:
    finding = same.first
    distance = [
        f"{getattr(finding, field):,} {field}"
        if field == "ulps"
        else f"{getattr(finding, field):.3g} {field}"
        for field in ("absolute", "relative", "ulps")
        if finding.HasField(field)
    ]
    return {
        "subject": wording.subject(finding),
        "where": same.where(),
        "expected": wording.expected(finding),
        "actual": wording.actual(finding),
        "distance": ", ".join(distance),
        "explanation": wording.explanation(finding),
    }


_TONES = {
    checks.Status.FAIL: "bad",
    checks.Status.FAILS_TOO: "bad",
    checks.Status.NO_DATA: "dim",
}


def _check(
    check: verdict_pb2.Check, verdict: verdict_pb2.Verdict
) -> Mapping[str, str]:
    status = checks.status_of(check, verdict.conclusion)
    return {
        "oracle": text_layout.words(verdict_pb2.Oracle.Name(check.oracle)),
        "name": check.name,
        "compared": f"{check.compared:,}",
        "differing": f"{check.differing:,}",
        "status": status.value,
        "tone": _TONES.get(status, ""),
    }
