"""Reduces the outcomes of all checks to one conclusion.

Each rule says what a failure of its check means (rules.py). One cause can fail
several checks: a rank that crashed did not finish either. So the conclusions
are ordered from cause to consequence, and the first one that any check reached
is the verdict. A run in which no check failed passes.

Consequences must not drown their cause: a rank that crashed at its start lacks
every later step, save and state. So the verdict keeps all findings of the
checks that decided it. Of the other checks, it keeps only findings that add
something:
- A finding about an iteration is kept if the rank reached that iteration in
  that attempt.
- A finding about no iteration is kept if its check compared something and the
  conclusion is not one that cuts ranks short. After a crash such findings only
  repeat that a rank ended.
- A finding of the read-back is never kept: the read-back loads what went wrong
  before it.
The verdict table lists every failed check regardless.
"""

from collections.abc import Sequence

from regress.golden import metrics
from regress.oracle import (
    check,
    conclusions,
    observations,
    rules,
    verdict_pb2,
)

_Verdict = verdict_pb2.Verdict

# These oracles compare values. The others compare facts, and a few metrics.
_OF_VALUES = (verdict_pb2.REPLAY, verdict_pb2.GOLDEN)

# These oracles judge the run without the golden.
_OF_THE_RUN = (
    verdict_pb2.RESUME_PROOF,
    verdict_pb2.STATE,
    verdict_pb2.REPLAY,
    verdict_pb2.READ_BACK,
)

# With these conclusions, ranks ended prematurely.
_ENDING = (
    _Verdict.CRASH,
    _Verdict.HANG,
    _Verdict.WRONG_ENVIRONMENT,
    _Verdict.DAMAGED_CHECKPOINT,
)

# The oracles, most informative first. Within one conclusion, an oracle that
# compares values names the tensor or the metric; one that checks facts says
# less about the cause.
_TELLING = (
    verdict_pb2.STATE,
    verdict_pb2.REPLAY,
    verdict_pb2.GOLDEN,
    verdict_pb2.PRECONDITIONS,
    verdict_pb2.RESUME_PROOF,
    verdict_pb2.READ_BACK,
)


def conclude(
    outcomes: Sequence[check.Outcome],
) -> verdict_pb2.Verdict.Conclusion:
    """Returns the first conclusion that any check reached, or PASS."""
    faulty = any(
        outcome.failed and outcome.rule.oracle in _OF_THE_RUN
        for outcome in outcomes
    )
    reached = {
        outcome.conclusion
        for outcome in outcomes
        if not (faulty and outcome.rule.yields)
    }
    for conclusion in conclusions.ORDER:
        if conclusion.reached in reached:
            return conclusion.reached
    return _Verdict.PASS


def by_weight(
    outcomes: Sequence[check.Outcome],
    conclusion: verdict_pb2.Verdict.Conclusion,
) -> list[check.Outcome]:
    """Returns the failed checks, the one closest to the cause first.

    The checks that decided the verdict come before the others. Next, facts come
    before values, because values follow from them; a loaded state counts as a
    fact. Values are ordered by the iteration of the check's first finding and,
    within an iteration, by the data flow through the step. Ties go to the more
    informative oracle, then to the check that was made first: what was loaded
    comes before what was run from it.
    """
    return sorted(
        (outcome for outcome in outcomes if outcome.failed),
        key=lambda outcome: (
            outcome.conclusion != conclusion,
            *_place(outcome),
            _TELLING.index(outcome.rule.oracle),
        ),
    )


def findings(
    observed: observations.Observations,
    outcomes: Sequence[check.Outcome],
    conclusion: verdict_pb2.Verdict.Conclusion,
) -> list[verdict_pb2.Finding]:
    """Returns the verdict's findings, the one closest to the cause first."""
    return [
        finding
        for outcome in by_weight(outcomes, conclusion)
        for finding in outcome.findings
        if outcome.conclusion == conclusion
        or (
            outcome.rule.oracle != verdict_pb2.READ_BACK
            and (
                _was_recorded(observed, outcome.rule, finding)
                if _is_dated(finding)
                else outcome.compared > 0 and conclusion not in _ENDING
            )
        )
    ]


def _was_recorded(
    observed: observations.Observations,
    rule: rules.Rule,
    finding: verdict_pb2.Finding,
) -> bool:
    """Whether the finding's rank reached the finding's iteration."""
    attempt = (
        observed.repeat if rule.of_repeat else observed.attempt(finding.attempt)
    )
    if attempt is None or finding.rank not in attempt.timelines:
        return False
    timeline = attempt.timelines[finding.rank]
    return finding.iteration in timeline.iterations or any(
        state.iteration == finding.iteration for state in timeline.states
    )


def first_bad(
    outcomes: Sequence[check.Outcome],
    conclusion: verdict_pb2.Verdict.Conclusion,
) -> verdict_pb2.Finding | None:
    """Returns the finding about the first iteration with a difference, or None.

    Each check that decided the verdict contributes its first finding about an
    iteration. Of these, the one of the earliest iteration is returned; if there
    are several, one that is about a step rather than about what the step left.
    None if there is no such finding.
    """
    firsts = (
        next((one for one in outcome.findings if _is_dated(one)), None)
        for outcome in outcomes
        if outcome.failed and outcome.conclusion == conclusion
    )
    return min(
        (first for first in firsts if first is not None),
        key=lambda one: (one.iteration, not _is_about_a_step(one)),
        default=None,
    )


def date(finding: verdict_pb2.Finding, last: int) -> None:
    """Says of a finding about what an iteration left that it is no iteration.

    Args:
        finding: A finding. It has an iteration, if any, even if that is about
            what came after it.
        last: The case's last iteration.
    """
    if not _is_dated(finding) or _is_about_a_step(finding):
        return
    if finding.HasField("progress"):
        # A rank that has completed the last step is not in the next one.
        after = finding.iteration > last
    else:
        after = (
            finding.iteration >= last or finding.oracle == verdict_pb2.READ_BACK
        )
    if after:
        finding.after_iteration = min(finding.iteration, last)
        finding.ClearField("iteration")


def _is_about_a_step(finding: verdict_pb2.Finding) -> bool:
    return (
        finding.HasField("metric") or finding.fact.kind == verdict_pb2.Fact.STEP
    )


def repeat_through(
    outcomes: Sequence[check.Outcome],
    conclusion: verdict_pb2.Verdict.Conclusion,
) -> int | None:
    """Returns how far attempt 0 must be repeated before the verdict is final.

    A repeat is needed if numbers differ and no wrong state explains why:
    training may be nondeterministic.

    Args:
        outcomes: The outcomes of all checks except those of a repeat.
        conclusion: The conclusion from these outcomes.

    Returns:
        The first bad iteration; None if a repeat would decide nothing.
    """
    state_differs = any(
        outcome.failed and outcome.rule.oracle == verdict_pb2.STATE
        for outcome in outcomes
    )
    if conclusion == _Verdict.NUMERIC_DRIFT or (
        conclusion == _Verdict.RESUME_DIVERGENCE and not state_differs
    ):
        first = first_bad(outcomes, conclusion)
        return None if first is None else first.iteration
    return None


def _is_dated(finding: verdict_pb2.Finding) -> bool:
    return finding.HasField("iteration")


def _place(outcome: check.Outcome) -> tuple[int, int]:
    """Returns the iteration and data-flow position of the first finding.

    A fact gets iteration 0 and the last position.
    """
    downstream = len(metrics.ORDER)
    if outcome.findings:
        first = outcome.findings[0]
        metric = first.metric.name
        if (
            metric in metrics.ORDER and _is_dated(first)
        ) or outcome.rule.oracle in _OF_VALUES:
            return first.iteration, metrics.ORDER.get(metric, downstream)
    return 0, downstream
