"""From the outcomes of all checks to one conclusion.

Each check names what its failure means (rules.py). Several checks may fail for
one cause: a rank that crashed has not finished either. So the conclusions have
an order, from the cause to what follows from it, and the first that some check
came to is the verdict. A run that no check faults passes.

What follows from a cause must not drown it: a rank that crashed at its start
lacks every step, save and state after it. So all findings of the checks that
decided are kept, and of the others those that say something of their own:
- about an iteration that the rank did record in that attempt: what it never
  came to is left out;
- about no iteration, if the check compared something, and the verdict is not
  one that ends ranks: after a crash the other facts only say that it ended.
A read-back says nothing of its own: it loads what went wrong before.
The failed checks are listed all the same.
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

# Other oracles state facts, but for some metrics.
_OF_VALUES = (verdict_pb2.REPLAY, verdict_pb2.GOLDEN)

# What a run is by itself, whatever the golden says.
_OF_THE_RUN = (
    verdict_pb2.RESUME_PROOF,
    verdict_pb2.STATE,
    verdict_pb2.REPLAY,
    verdict_pb2.READ_BACK,
)

# Of a run that comes to these, ranks ended before their time.
_ENDING = (
    _Verdict.CRASH,
    _Verdict.HANG,
    _Verdict.WRONG_ENVIRONMENT,
    _Verdict.DAMAGED_CHECKPOINT,
)

# Within one conclusion, an oracle that compares values names the tensor or the
# metric; one that proves facts says less of the cause.
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
    """The first conclusion that some check came to, or PASS."""
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
    """The failed checks, in the order of how near their findings are the cause.

    Those that decided come before the others. Facts, and a loaded state is one,
    come before the values that follow from them, and in the order in which the
    checks were made: what was loaded before what was run of it. Of values, the
    first finding's iteration counts, and in it the order in which data flows
    through the step.
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
    facts: observations.Observations,
    outcomes: Sequence[check.Outcome],
    conclusion: verdict_pb2.Verdict.Conclusion,
) -> list[verdict_pb2.Finding]:
    """The verdict's findings, the one nearest the cause first."""
    return [
        finding
        for outcome in by_weight(outcomes, conclusion)
        for finding in outcome.findings
        if outcome.conclusion == conclusion
        or outcome.rule.oracle != verdict_pb2.READ_BACK
        and (
            _was_recorded(facts, outcome.rule, finding)
            if _is_dated(finding)
            else outcome.compared > 0 and conclusion not in _ENDING
        )
    ]


def _was_recorded(
    facts: observations.Observations,
    rule: rules.Rule,
    finding: verdict_pb2.Finding,
) -> bool:
    """Whether the finding's rank came to the finding's iteration."""
    attempt = (
        facts.repeat
        if rule.of_repeat
        else facts.attempt(finding.attempt)
    )
    if attempt is None or finding.rank not in attempt.timelines:
        return False
    timeline = attempt.timelines[finding.rank]
    return finding.iteration in timeline.iterations or any(
        state.iteration == finding.iteration for state in timeline.states
    )


def first_bad_iteration(
    outcomes: Sequence[check.Outcome],
    conclusion: verdict_pb2.Verdict.Conclusion,
) -> int | None:
    """The first iteration in which something differs, of those that decided.

    Of each check that decided, the first finding that is about an iteration
    counts. None if there is no such finding.
    """
    firsts = [
        next(
            (one.iteration for one in outcome.findings if _is_dated(one)), None
        )
        for outcome in outcomes
        if outcome.failed and outcome.conclusion == conclusion
    ]
    return min((first for first in firsts if first is not None), default=None)


def repeat_through(
    outcomes: Sequence[check.Outcome],
    conclusion: verdict_pb2.Verdict.Conclusion,
) -> int | None:
    """How far attempt 0 must be repeated, if the verdict hangs on a repeat.

    It does where numbers differ and no wrong state explains them: they may
    differ every time.

    Args:
        outcomes: Of all checks but those of a repeat.
        conclusion: What they come to.

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
        return first_bad_iteration(outcomes, conclusion)
    return None


def _is_dated(finding: verdict_pb2.Finding) -> bool:
    return finding.HasField("iteration")


def _place(outcome: check.Outcome) -> tuple[int, int]:
    """Iteration and place in the data flow of a check's first finding."""
    downstream = len(metrics.ORDER)
    if outcome.findings:
        first = outcome.findings[0]
        metric = first.metric.name
        if (
            metric in metrics.ORDER and _is_dated(first)
        ) or outcome.rule.oracle in _OF_VALUES:
            return first.iteration, metrics.ORDER.get(metric, downstream)
    return 0, downstream
