"""Compares the trajectory with the golden.

Attempt 0 did not resume anything, so if it leaves the golden, the numbers have
drifted. If only attempt 1 leaves it, the resume is at fault.
"""

from collections.abc import Mapping, Sequence

from regress.golden import bands, golden_pb2, state
from regress.oracle import (
    check,
    expected_run,
    observations,
    rules,
    trajectory_findings,
    verdict_pb2,
)
from regress.run import run_pb2


def check_all(facts: observations.Observations) -> list[check.Outcome]:
    """Compares all metrics and saved states of both attempts with the golden.

    Returns:
        One outcome per check. If the case saves nothing after the resume,
        attempt 1's saved state is not checked. A golden for hardware `any` has
        no states to check. Without a golden there are no checks at all.
    """
    golden = facts.golden
    if golden is None:
        return []
    before, after = facts.interrupted, facts.resumed
    iterations = expected_run.interrupted(facts)
    outcomes = [
        check_metrics(
            facts, golden, rules.INTERRUPTED_METRICS, iterations, before
        )
    ]
    if facts.golden_holds_states:
        saves = expected_run.interrupted_saves(facts)
        outcomes.append(
            check_state(golden, rules.INTERRUPTED_STATE, saves, before)
        )
    iterations = expected_run.resumed(facts)
    outcomes.append(
        check_metrics(facts, golden, rules.RESUMED_METRICS, iterations, after)
    )
    saves = expected_run.resumed_saves(facts)
    if saves[facts.last_rank] and facts.golden_holds_states:
        outcomes.append(check_state(golden, rules.RESUMED_STATE, saves, after))
    return outcomes


def check_metrics(
    facts: observations.Observations,
    golden: golden_pb2.Golden,
    rule: rules.Rule,
    wanted: Mapping[int, range],
    attempt: observations.Attempt,
) -> check.Outcome:
    """Compares an attempt's metrics with the golden.

    Args:
        facts: The indexed case, run record and golden.
        golden: The golden.
        rule: The rule that the check applies.
        wanted: The iterations to compare, by rank.
        attempt: The attempt.
    """
    result = check.Check(rule)
    trajectory_findings.compare(
        result,
        facts.golden_trajectories,
        attempt.trajectories,
        wanted,
        attempt=attempt.index,
        bands=bands.from_golden(golden),
    )
    return result.outcome()


def check_state(
    golden: golden_pb2.Golden,
    rule: rules.Rule,
    saves: Mapping[int, Sequence[int]],
    attempt: observations.Attempt,
) -> check.Outcome:
    """Compares the states that an attempt saved with the golden.

    Args:
        golden: The golden.
        rule: The rule that the check applies.
        saves: The iterations of the saves to compare, by rank.
        attempt: The attempt.
    """
    result = check.Check(rule)
    expected = {
        (checkpoint.iteration, rank): digest
        for checkpoint in golden.checkpoints
        for rank, digest in enumerate(checkpoint.digests)
    }
    for rank, iterations in saves.items():
        timeline = attempt.timelines.get(rank, observations.NO_TIMELINE)
        for iteration in iterations:
            digests = timeline.digests(run_pb2.StateDigest.SAVED, iteration)
            wanted = expected.get((iteration, rank))
            result.expect(
                verdict_pb2.Fact.SAVED_STATE,
                verdict_pb2.Value(digest=wanted)
                if wanted
                else "one in the golden",
                verdict_pb2.Value(digest=state.fold(digests[0]))
                if len(digests) == 1
                else check.times(len(digests)),
                attempt=attempt.index,
                rank=rank,
                iteration=iteration,
            )
    return result.outcome()
