"""The oracle: a case, its run record and its golden in, a verdict out.

Without a golden, the resume proof, state and replay oracles judge the run.

The oracle is pure: it uses no clock, file or process. The same protos always
give the same verdict.
"""

from regress.case import case_pb2
from regress.golden import golden_pb2
from regress.oracle import (
    decision,
    diagnosis,
    exits,
    golden_completeness,
    golden_oracle,
    interruption_proof,
    known_bugs,
    observations,
    preconditions,
    read_back_oracle,
    relaunch_oracle,
    repeat_oracle,
    replay_oracle,
    resume_cost,
    resume_proof,
    skipped_updates,
    state_oracle,
    verdict_pb2,
)
from regress.run import run_pb2


def judge(
    case: case_pb2.Case,
    run: run_pb2.RunRecord,
    golden: golden_pb2.Golden | None,
    target: observations.DeclaredTarget,
) -> verdict_pb2.Verdict:
    """Judges a run.

    Args:
        case: The declared case. It must be valid (see validation.py).
        run: What the scenario observed. Anything may be missing from it: that
            yields findings, and never raises.
        golden: The golden record that was selected. Anything may be missing
            from it, too. None if no golden was selected.
        target: What the test's target declares about the machine.

    Returns:
        The verdict. The findings of the checks that decided it come first.
    """
    observed = observations.gather(case, run, golden, target)
    restored = state_oracle.check_restored(observed)
    outcomes = [
        *preconditions.check_all(observed),
        *golden_completeness.check_all(observed),
        *exits.check_all(observed),
        *interruption_proof.check_first(observed),
        *resume_proof.check_all(observed),
        *relaunch_oracle.check_all(observed),
        restored.outcome,
        *state_oracle.check_kept(observed),
        *replay_oracle.check_all(observed),
        *golden_oracle.check_all(observed),
        *read_back_oracle.check_all(observed),
    ]
    through = decision.repeat_through(outcomes, decision.conclude(outcomes))
    outcomes += repeat_oracle.check_all(observed, outcomes, through)
    reached = decision.conclude(outcomes)
    first = next(iter(decision.by_weight(outcomes, reached)), None)
    findings = decision.findings(observed, outcomes, reached)
    bad = decision.first_bad(outcomes, reached) or verdict_pb2.Finding()
    clues = diagnosis.clues(observed, first.findings) if first else []
    for finding in findings:
        finding.of_read_back = (
            finding.HasField("attempt")
            and finding.attempt == observed.read_back.index
        )
        finding.of_relaunch = (
            finding.HasField("attempt")
            and finding.attempt == observed.relaunch.index
        )
        decision.date(finding, observed.case.training.iterations)
    return verdict_pb2.Verdict(
        conclusion=reached,
        checks=[
            outcome.check
            # Checks of a repeat are listed with the others of their oracle.
            for outcome in sorted(outcomes, key=lambda one: one.rule.oracle)
        ],
        findings=findings,
        environment_differences=preconditions.environment_differences(observed),
        first_bad_iteration=_field(bad, "iteration"),
        bad_after_iteration=_field(bad, "after_iteration"),
        repeat_through=None if run.HasField("repeat") else through,
        known_bug=known_bugs.find(observed, reached),
        clues=clues,
        restored_state=restored.state,
        skipped_updates=skipped_updates.find(observed),
        shortfall=resume_proof.shortfall(observed, outcomes)
        if reached == verdict_pb2.Verdict.NOT_RESUMED
        else verdict_pb2.Verdict.SHORTFALL_UNSPECIFIED,
        resume_costs=resume_cost.compare(observed),
        outline=verdict_pb2.Outline(
            interruption=case.interruption,
            resume_iteration=map(observed.start, observed.resumes),
            iterations=case.training.iterations,
            has_golden=golden is not None,
        ),
    )


def _field(finding: verdict_pb2.Finding, name: str) -> int | None:
    """Returns the value of a finding's field; None if it is absent."""
    value: int = getattr(finding, name)
    return value if finding.HasField(name) else None
