"""The verdict in one sentence."""

from collections.abc import Sequence

from regress.case import case_pb2
from regress.oracle import conclusion, evidence, rules, tally, verdict_pb2

_Verdict = verdict_pb2.Verdict

_LEADS = {
    _Verdict.CRASH: "a rank crashed",
    _Verdict.HANG: "a rank hung",
    _Verdict.WRONG_ENVIRONMENT: "this is not what the target promises",
    _Verdict.STALE_GOLDEN: "the golden does not fit the case",
    _Verdict.NOT_INTERRUPTED: "attempt 0 was not interrupted as the case says",
    _Verdict.DAMAGED_CHECKPOINT: "attempt 1 could not read its checkpoint",
    _Verdict.NOT_RESUMED: "attempt 1 did not continue where it had to",
    _Verdict.NUMERIC_DRIFT: "the numbers left the golden before anything was "
    "resumed",
    _Verdict.RESUME_DIVERGENCE: "the resumed run is not the run that was "
    "interrupted",
}


def summarize(
    facts: evidence.Evidence,
    outcomes: Sequence[tally.Outcome],
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
    parts = [_LEADS[reached], _finding(first.findings[0])]
    match reached:
        case _Verdict.NUMERIC_DRIFT:
            parts.append(_reproducible(facts, outcomes))
        case _Verdict.RESUME_DIVERGENCE:
            parts.append(_cause(facts, outcomes))
        case _:
            parts.append(first.findings[0].explanation)
    return "; ".join(part.rstrip(".") for part in parts if part) + "."


def _passed(facts: evidence.Evidence, outcomes: Sequence[tally.Outcome]) -> str:
    interruption = facts.case.interruption
    return (
        "the resumed run is the run that was never interrupted: "
        f"{case_pb2.Signal.Name(interruption.signal)} in iteration "
        f"{interruption.iteration} "
        f"({case_pb2.Phase.Name(interruption.phase)}), resumed from "
        f"{facts.resume_iteration}, trained to "
        f"{facts.case.training.iterations}; "
        f"{sum(outcome.compared for outcome in outcomes)} comparisons, none "
        "differs."
    )


def _finding(finding: verdict_pb2.Finding) -> str:
    where = "".join(
        f" {preposition} {field} {getattr(finding, field)}"
        for preposition, field in (
            ("of", "attempt"),
            ("on", "rank"),
            ("at", "iteration"),
        )
        if finding.HasField(field)
    )
    return (
        f"{finding.subject}{where}: expected {finding.expected}, actual "
        f"{finding.actual}"
    )


def _reproducible(
    facts: evidence.Evidence, outcomes: Sequence[tally.Outcome]
) -> str:
    replay = _find(outcomes, rules.METRICS_REPEATED)
    if replay and not replay.failed:
        return (
            "the iterations that ran twice agree with each other, so the "
            "numbers are reproducible, and the code, its dependencies or the "
            "machine have changed since the golden was recorded"
        )
    return (
        "whether the numbers are reproducible at all, "
        f"`{facts.promise.repeat_command}` tells"
    )


def _cause(facts: evidence.Evidence, outcomes: Sequence[tally.Outcome]) -> str:
    state = _find(outcomes, rules.STATE_RESTORED)
    if state and state.failed:
        return (
            f"of {state.compared} pieces of loaded state {state.differing} "
            f"differ: {state.note}"
            if state.note
            else ""
        )
    return (
        "the loaded state is the saved state, so either some state is never "
        "saved, or training is not deterministic: "
        f"`{facts.promise.repeat_command}` gives the same wrong numbers each "
        "time in the first case and others in the second"
    )


def _find(
    outcomes: Sequence[tally.Outcome], rule: rules.Rule
) -> tally.Outcome | None:
    return next((one for one in outcomes if one.rule == rule), None)
