"""Are the iterations that ran in both attempts the same? Needs no golden."""

from regress.oracle import (
    evidence,
    piece_comparison,
    piece_order,
    rules,
    steps,
    tally,
    trajectory_comparison,
)
from regress.run import run_pb2

_Digest = run_pb2.StateDigest


def check(facts: evidence.Evidence) -> list[tally.Outcome]:
    """Compares what attempt 1 did again with what attempt 0 had done.

    A case that is interrupted right after its checkpoint has no such
    iteration, and most cases save no checkpoint twice: then the check is not
    made.
    """
    outcomes = []
    if steps.repeated(facts)[facts.last_rank]:
        outcomes.append(_check_metrics(facts))
    if steps.repeated_saves(facts)[facts.last_rank]:
        outcomes.append(_check_state(facts))
    return outcomes


def _check_metrics(facts: evidence.Evidence) -> tally.Outcome:
    result = tally.Tally(rules.METRICS_REPEATED)
    trajectory_comparison.compare(
        result,
        facts.interrupted.trajectories,
        facts.resumed.trajectories,
        steps.repeated(facts),
        attempt=1,
    )
    return result.outcome()


def _check_state(facts: evidence.Evidence) -> tally.Outcome:
    result = tally.Tally(rules.STATE_REPEATED, piece_order.order)
    for rank, iterations in steps.repeated_saves(facts).items():
        before = facts.interrupted.timelines.get(rank, evidence.NO_TIMELINE)
        after = facts.resumed.timelines.get(rank, evidence.NO_TIMELINE)
        for iteration in iterations:
            piece_comparison.compare(
                result,
                before.digests(_Digest.SAVED, iteration),
                after.digests(_Digest.SAVED, iteration),
                attempt=1,
                rank=rank,
                iteration=iteration,
            )
    return result.outcome()
