"""The verdict in one sentence."""

from collections.abc import Sequence

from regress.case import case_pb2
from regress.oracle import (
    check,
    conclusion,
    diagnosis,
    observations,
    rules,
    verdict_pb2,
)

_Verdict = verdict_pb2.Verdict

_LEADS = {
    _Verdict.CRASH: "a rank crashed",
    _Verdict.HANG: "a rank hung",
    _Verdict.WRONG_ENVIRONMENT: "this is not what the target declares",
    _Verdict.STALE_GOLDEN: "the golden is not of what ran",
    _Verdict.NOT_INTERRUPTED: "attempt 0 was not interrupted as the case says",
    _Verdict.DAMAGED_CHECKPOINT: "attempt 1 could not read its checkpoint",
    _Verdict.NOT_RESUMED: "attempt 1 did not continue where it had to",
    _Verdict.NONDETERMINISM: "the same iterations, run twice from the same "
    "state, differ",
    _Verdict.NUMERIC_DRIFT: "the numbers left the golden before anything was "
    "resumed",
    _Verdict.RESUME_DIVERGENCE: "the resumed run is not the run that was "
    "interrupted",
}


def summarize(
    facts: observations.Observations,
    outcomes: Sequence[check.Outcome],
    reached: verdict_pb2.Verdict.Conclusion,
) -> str:
    """The verdict in one sentence, for a reader in a hurry.

    Args:
        facts: What was judged.
        outcomes: All of the checks.
        reached: What was concluded of them.
    """
    if reached == _Verdict.PASS:
        return _passed(facts, outcomes)
    first = conclusion.by_weight(outcomes, reached)[0]
    details = _DETAILS.get(reached, _explanation)
    parts = [_lead(facts, reached), *details(facts, outcomes, first)]
    return "; ".join(part.removesuffix(".") for part in parts if part) + "."


def _lead(
    facts: observations.Observations, reached: verdict_pb2.Verdict.Conclusion
) -> str:
    if reached == _Verdict.NUMERIC_DRIFT and facts.golden is None:
        return "the numbers were wrong before anything was resumed"
    return _LEADS[reached]


def _passed(
    facts: observations.Observations, outcomes: Sequence[check.Outcome]
) -> str:
    interruption = facts.case.interruption
    return (
        "the resumed run is the run that was never interrupted: "
        f"{case_pb2.Signal.Name(interruption.signal)} in iteration "
        f"{interruption.iteration} "
        f"({case_pb2.Phase.Name(interruption.phase)}), resumed from "
        f"{facts.resume_iteration}, trained to "
        f"{facts.case.training.iterations}; "
        f"{sum(outcome.compared for outcome in outcomes)} comparisons, none "
        f"differs{_limit(facts)}."
    )


def _limit(facts: observations.Observations) -> str:
    """What a pass does not say."""
    if facts.golden is not None:
        return ""
    return (
        "; no trajectory was compared with a golden, as there is none, so the "
        "iterations that ran once are not judged"
    )


def _finding(outcome: check.Outcome) -> str:
    finding = outcome.findings[0]
    where = "".join(
        f" {preposition} {field} {getattr(finding, field)}"
        for preposition, field in (
            ("of the repeat of" if outcome.rule.of_repeat else "of", "attempt"),
            ("on", "rank"),
            ("at", "iteration"),
        )
        if finding.HasField(field)
    )
    return (
        f"{finding.subject}{where}: expected {finding.expected}, actual "
        f"{finding.actual}"
    )


def _explanation(
    facts: observations.Observations,
    outcomes: Sequence[check.Outcome],
    first: check.Outcome,
) -> list[str]:
    del facts, outcomes
    return [first.note or _finding(first), first.findings[0].explanation]


def _of_nondeterminism(
    facts: observations.Observations,
    outcomes: Sequence[check.Outcome],
    first: check.Outcome,
) -> list[str]:
    del outcomes
    return [
        _finding(first),
        "expected is what attempt 0 did"
        if first.rule.of_repeat
        else "expected is what the repeat of attempt 0 did",
        diagnosis.clause(facts, first.findings),
        "until this is fixed, no other mismatch can be told from noise",
    ]


def _of_drift(
    facts: observations.Observations,
    outcomes: Sequence[check.Outcome],
    first: check.Outcome,
) -> list[str]:
    if facts.golden is None:
        return _explanation(facts, outcomes, first)
    reproduced = (
        "so the numbers are reproducible, and the code, its dependencies or "
        "the machine have changed since the golden was recorded"
    )
    replay = _find(outcomes, rules.METRICS_REPEATED)
    if first.rule.of_repeat:
        why = (
            "attempt 1 and a repeat of attempt 0 gave the same numbers, "
            f"{reproduced}"
        )
    elif _find(outcomes, rules.REPEAT_RAN):
        why = f"a repeat of attempt 0 gave the same numbers, {reproduced}"
    elif replay and not replay.failed:
        why = (
            f"the iterations that ran twice agree with each other, {reproduced}"
        )
    else:
        why = (
            "whether the numbers are reproducible at all, "
            f"`{facts.target.repeat_command}` tells"
        )
    return [_finding(first), diagnosis.clause(facts, first.findings), why]


def _of_divergence(
    facts: observations.Observations,
    outcomes: Sequence[check.Outcome],
    first: check.Outcome,
) -> list[str]:
    state = _find(outcomes, rules.STATE_RESTORED)
    if state and state.failed:
        return [
            _finding(first),
            f"of {state.compared} loaded state entries {state.differing} "
            f"differ: {state.note}"
            if state.note
            else "",
        ]
    if _find(outcomes, rules.REPEAT_RAN):
        why = (
            "the loaded state is the saved state, and a repeat of attempt 0 "
            f"gave the same numbers as attempt 0{_and_golden(facts)}, so some "
            "state "
            "is not saved, or is changed after the load; should the test give "
            "other wrong numbers when it is run again, it is noise that the "
            "repeat did not meet"
        )
    else:
        why = (
            "the loaded state is the saved state, so either some state is "
            "never saved, or training is not deterministic: "
            f"`{facts.target.repeat_command}` gives the same wrong numbers "
            "each time in the first case and others in the second"
        )
    return [_finding(first), diagnosis.clause(facts, first.findings), why]


def _and_golden(facts: observations.Observations) -> str:
    return "" if facts.golden is None else " and the golden"


_DETAILS = {
    _Verdict.NONDETERMINISM: _of_nondeterminism,
    _Verdict.NUMERIC_DRIFT: _of_drift,
    _Verdict.RESUME_DIVERGENCE: _of_divergence,
}


def _find(
    outcomes: Sequence[check.Outcome], rule: rules.Rule
) -> check.Outcome | None:
    return next((one for one in outcomes if one.rule == rule), None)
