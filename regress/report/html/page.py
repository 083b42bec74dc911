"""Renders the HTML report: one file that fetches nothing.

The verdict and its cause come first, then the curves, the loaded state, the
findings, the checks, what to do next, the processes and the environment. A page
of goldens has only the parts that apply to goldens.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from regress.golden import errors, golden_pb2, series
from regress.oracle import verdict_pb2
from regress.report import (
    checks,
    next_steps,
    resume_costs,
    summary,
    text_layout,
    wording,
)
from regress.report.html import (
    chart,
    curves,
    differences,
    document,
    environment_table,
    finding_table,
    interruption_span,
    state_grid,
    timeline,
)
from regress.run import run_pb2

_METRICS = ("lm loss", "grad norm")
# The files of the full record that are no rank's log.
_FILES = ("verdict.textproto", "run_record.binpb", "candidate_golden.textproto")
_LOG = re.compile(r"((?:\w+/)*)attempt_(\d+)/rank_(\d+)\.log")


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
    beside: Sequence[str] = (),
) -> str:
    """Renders a verdict with its run and its golden.

    Args:
        verdict: The oracle's verdict.
        run: The run record, which may be incomplete.
        golden: The golden that the run was compared with; None if there is
            none.
        following: What to do next; None if there is nothing to do.
        beside: Paths of the files that will be beside the page, to be linked.

    Returns:
        The text of an HTML file.
    """
    passed = verdict.conclusion == verdict_pb2.Verdict.PASS
    name = text_layout.words(
        verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion)
    )
    cause = summary.clauses(verdict)
    ran = interruption_span.from_run(run)
    processes = timeline.of_run(run)
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
    return document.render(
        "page.html.jinja",
        title=f"{'PASS' if passed else name}: {run.case.name}",
        good=passed,
        headline="PASS" if passed else f"FAIL: {name}",
        where=wording.first_bad(verdict),
        subject=f"{run.case.name}, {_described(golden)}",
        cause=_sentences(cause[: 1 if passed else 2]),
        more=[
            *(text_layout.sentence(f"{clause}.") for clause in cause[2:]),
            *(
                f"Not judged: {wording.not_judged(one)}."
                for one in verdict.not_judged
            ),
        ],
        known_bug=summary.known_bug(verdict),
        environment_differences=[
            wording.environment_difference(difference)
            for difference in verdict.environment_differences
        ],
        steps=following.steps if following else (),
        record=following.record if following else "",
        findings=finding_table.build(verdict),
        interruption=_interruption(ran),
        charts=_charts(
            _series(golden), recorded, ran, run.case.training.iterations
        ),
        grid=state_grid.from_verdict(verdict),
        failed=_by_oracle(verdict, ok=False),
        fine=_by_oracle(verdict, ok=True),
        fine_count=sum(_is_ok(check, verdict) for check in verdict.checks),
        timeline=_Chart("", timeline.note(processes), timeline.draw(processes)),
        files=[name for name in _FILES if name in beside],
        logs=_logs(beside),
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
    return document.render(
        "page.html.jinja",
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


def _sentences(clauses: Sequence[str]) -> str:
    return " ".join(text_layout.sentence(f"{clause}.") for clause in clauses)


def _logs(beside: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Returns the rank and the path of each log, by the attempt's name."""
    logs: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(beside):
        if found := _LOG.fullmatch(path):
            folder, attempt, rank = found.groups()
            name = f"{folder.replace('/', ', ')}attempt {attempt}"
            logs.setdefault(name, []).append((rank, path))
    return logs


def _is_ok(check: verdict_pb2.Check, verdict: verdict_pb2.Verdict) -> bool:
    return checks.status_of(check, verdict.conclusion) == checks.Status.OK


def _by_oracle(
    verdict: verdict_pb2.Verdict, *, ok: bool
) -> dict[str, list[Mapping[str, str]]]:
    """Returns the checks that are ok, or those that are not, by oracle.

    Those that decided the verdict come first, and so do their oracles.
    """
    chosen = [one for one in verdict.checks if _is_ok(one, verdict) == ok]
    chosen.sort(
        key=lambda one: (
            checks.status_of(one, verdict.conclusion) != checks.Status.FAIL
        )
    )
    by_oracle: dict[str, list[Mapping[str, str]]] = {}
    for one in chosen:
        name = text_layout.words(verdict_pb2.Oracle.Name(one.oracle))
        by_oracle.setdefault(name, []).append(_check(one, verdict))
    return by_oracle


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
                "distance from the golden",
                "relative; 0 is the golden's own bits",
                differences.draw(golden, recorded, ran, last),
            )
        )
    return [one for one in charts if one.svg]


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
        "name": check.name,
        "compared": f"{check.compared:,}",
        "differing": f"{check.differing:,}",
        "status": status.value,
        "tone": _TONES.get(status, ""),
    }
