"""Compares the iterations that ran in several attempts. Needs no golden."""

from collections.abc import Iterable, Mapping, Sequence

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


def check_all(observed: observations.Observations) -> list[check.Outcome]:
    """Compares the iterations and saves that later attempts ran again.

    Returns:
        One outcome per check. If every interruption is right after a
        checkpoint, no iteration runs twice, and metrics are not checked. Most
        cases save no checkpoint twice; then saved states are not checked.
    """
    replayed = [
        (index, earlier, steps)
        for index in observed.resumes
        for earlier, steps in expected_run.replayed(observed, index)
    ]
    saved_again = [
        (index, earlier, saves)
        for index in observed.resumes
        for earlier, saves in expected_run.saved_again(observed, index)
    ]
    outcomes = []
    if replayed:
        outcomes.append(_check_metrics(observed, replayed))
    if saved_again:
        outcomes.append(_check_state(observed, saved_again))
    return outcomes


def _check_metrics(
    observed: observations.Observations,
    replayed: Iterable[tuple[int, int, Mapping[int, range]]],
) -> check.Outcome:
    result = check.Check(rules.METRICS_REPEATED)
    for index, earlier, steps in replayed:
        trajectory_findings.compare(
            result,
            observed.attempt(earlier).trajectories,
            observed.attempt(index).trajectories,
            steps,
            attempt=index,
        )
    return result.outcome()


def _check_state(
    observed: observations.Observations,
    saved_again: Iterable[tuple[int, int, Mapping[int, Sequence[int]]]],
) -> check.Outcome:
    result = check.Check(rules.STATE_REPEATED, state_comparison.by_cause)
    for index, earlier, saves in saved_again:
        for rank, iterations in saves.items():
            before, after = (
                observed.attempt(one).timelines.get(
                    rank, observations.NO_TIMELINE
                )
                for one in (earlier, index)
            )
            for iteration in iterations:
                state_comparison.compare(
                    result,
                    before.digests(_Digest.SAVED, iteration),
                    after.digests(_Digest.SAVED, iteration),
                    attempt=index,
                    rank=rank,
                    iteration=iteration,
                )
    return result.outcome()
