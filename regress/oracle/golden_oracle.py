"""Compares the trajectory with the golden.

Attempt 0 did not resume anything, so if it leaves the golden, the numbers have
drifted. If only a later attempt leaves it, the resume is at fault.
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


def check_all(observed: observations.Observations) -> list[check.Outcome]:
    """Compares all metrics and saved states of all attempts with the golden.

    Returns:
        One outcome per check. If an attempt saves nothing after its resume, its
        saved state is not checked. A golden for hardware `any` has no states to
        check. Without a golden there are no checks at all.
    """
    golden = observed.golden
    if golden is None:
        return []
    outcomes = []
    for index in range(observed.last + 1):
        attempt = observed.attempt(index)
        of_metrics, of_state = (
            (
                rules.RESUMED_METRICS.of_attempt(index),
                rules.RESUMED_STATE.of_attempt(index),
            )
            if index
            else (rules.INTERRUPTED_METRICS, rules.INTERRUPTED_STATE)
        )
        steps = expected_run.steps(observed, index)
        outcomes.append(
            check_metrics(observed, golden, of_metrics, steps, attempt)
        )
        saves = expected_run.saves(observed, index)
        if observed.golden_holds_states and (
            saves[observed.last_rank] or not index
        ):
            outcomes.append(check_state(golden, of_state, saves, attempt))
    return outcomes


def check_metrics(
    observed: observations.Observations,
    golden: golden_pb2.Golden,
    rule: rules.Rule,
    wanted: Mapping[int, range],
    attempt: observations.Attempt,
) -> check.Outcome:
    """Compares an attempt's metrics with the golden.

    Args:
        observed: The indexed case, run record and golden.
        golden: The golden.
        rule: The rule that the check applies.
        wanted: The iterations to compare, by rank.
        attempt: The attempt.
    """
    result = check.Check(rule)
    trajectory_findings.compare(
        result,
        observed.golden_trajectories,
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
    moment: run_pb2.StateDigest.Moment = run_pb2.StateDigest.SAVED,
) -> check.Outcome:
    """Compares the states that an attempt saved with the golden.

    Args:
        golden: The golden.
        rule: The rule that the check applies.
        saves: The iterations of the saves to compare, by rank.
        attempt: The attempt.
        moment: LOADED to compare what it loaded of the saves.
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
            digests = timeline.digests(moment, iteration)
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
