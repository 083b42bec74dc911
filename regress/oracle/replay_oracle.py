"""Compares the iterations that ran in both attempts. Needs no golden."""

from regress.oracle import (
    check,
    expected_run,
    observations,
    rules,
    state_comparison,
    trajectory_findings,
)
from regress.run import run_pb2

_Digest = run_pb2.StateDigest


def check_all(facts: observations.Observations) -> list[check.Outcome]:
    """Compares the iterations and saves that attempt 1 ran again.

    Returns:
        One outcome per check. If the case is interrupted right after a
        checkpoint, no iteration runs twice, and metrics are not checked. Most
        cases save no checkpoint twice; then saved states are not checked.
    """
    outcomes = []
    if expected_run.repeated(facts)[facts.last_rank]:
        outcomes.append(_check_metrics(facts))
    if expected_run.repeated_saves(facts)[facts.last_rank]:
        outcomes.append(_check_state(facts))
    return outcomes


def _check_metrics(facts: observations.Observations) -> check.Outcome:
    result = check.Check(rules.METRICS_REPEATED)
    trajectory_findings.compare(
        result,
        facts.interrupted.trajectories,
        facts.resumed.trajectories,
        expected_run.repeated(facts),
        attempt=1,
    )
    return result.outcome()


def _check_state(facts: observations.Observations) -> check.Outcome:
    result = check.Check(rules.STATE_REPEATED, state_comparison.by_cause)
    for rank, iterations in expected_run.repeated_saves(facts).items():
        before = facts.interrupted.timelines.get(rank, observations.NO_TIMELINE)
        after = facts.resumed.timelines.get(rank, observations.NO_TIMELINE)
        for iteration in iterations:
            state_comparison.compare(
                result,
                before.digests(_Digest.SAVED, iteration),
                after.digests(_Digest.SAVED, iteration),
                attempt=1,
                rank=rank,
                iteration=iteration,
            )
    return result.outcome()
