"""Checks that the golden holds the case's whole trajectory.

If the golden lacked something, a run that lacks the same would pass.
"""

import numpy as np

from regress.golden import bands, golden_pb2, metrics, series
from regress.oracle import (
    check,
    observations,
    rules,
    trajectory_findings,
    verdict_pb2,
)

_Fact = verdict_pb2.Fact

# The minimum that tools/golden accepts.
_FEWEST_REPEATS = 2
_AGREEING = f"{_FEWEST_REPEATS} or more that agree"
_BANDS = "bands if it is for any hardware, each as it was measured"
_UNINTERRUPTED = "1 or more"
_WHOLE = "one series for each metric, param group and rank"


def check_all(observed: observations.Observations) -> list[check.Outcome]:
    """Checks that the golden has every metric, iteration and checkpoint.

    Returns:
        One outcome; empty if there is no golden.
    """
    if observed.golden is None:
        return []
    return [_check_golden(observed, observed.golden)]


def _check_golden(
    observed: observations.Observations, golden: golden_pb2.Golden
) -> check.Outcome:
    result = check.Check(rules.GOLDEN_COMPLETE)
    result.expect(
        _Fact.GOLDEN_ITERATIONS,
        check.integers([observed.case.training.iterations]),
        check.integers([golden.iterations]),
    )
    result.expect(
        _Fact.GOLDEN_SERIES, _WHOLE, observed.golden_contradiction or _WHOLE
    )
    result.expect(
        _Fact.GOLDEN_BANDS,
        _BANDS,
        bands.why_wrong(golden) or _BANDS,
    )
    repeats = golden.provenance.repeats
    result.expect(
        _Fact.GOLDEN_RUNS,
        _AGREEING,
        _AGREEING if repeats >= _FEWEST_REPEATS else str(repeats),
    )
    interrupted = golden.provenance.interrupted_repeats
    result.expect(
        _Fact.GOLDEN_UNINTERRUPTED_RUNS,
        _UNINTERRUPTED,
        _UNINTERRUPTED
        if interrupted < repeats
        else f"{repeats - interrupted} of {repeats}",
    )
    for rank in observed.ranks:
        _check_metrics(observed, result, rank)
    for key, trajectory in observed.golden_trajectories.items():
        _check_values(observed, result, key, trajectory)
    _check_checkpoints(observed, golden, result)
    return result.outcome()


def _check_metrics(
    observed: observations.Observations, result: check.Check, rank: int
) -> None:
    held = {
        (key.metric, key.param_group)
        for key in observed.golden_trajectories
        if key.rank == rank
    }
    groups = {group for _, group in held if group}
    result.expect(
        _Fact.GOLDEN_PARAM_GROUPS,
        "at least one",
        "at least one" if groups else "none",
        rank=rank,
    )
    wanted = {
        (metric.name, "")
        for metric in metrics.STEP_METRICS
        if metric.is_recorded_by(rank, observed.last_rank)
    } | {
        (metric.name, group)
        for metric in metrics.PARAM_GROUP_METRICS
        for group in groups
    }
    for metric, group in sorted(wanted | held):
        result.expect(
            verdict_pb2.Metric(name=metric, param_group=group),
            _presence((metric, group) in wanted),
            _presence((metric, group) in held),
            rank=rank,
        )


def _check_values(
    observed: observations.Observations,
    result: check.Check,
    key: series.Key,
    trajectory: series.Trajectory,
) -> None:
    not_numbers = np.flatnonzero(np.isnan(trajectory.values))
    numbers = trajectory.values.size - not_numbers.size
    actual = f"{numbers} numbers"
    if not_numbers.size:
        first = trajectory.iterations[not_numbers[0]]
        actual += f", and NaN from iteration {first}"
    iterations = observed.case.training.iterations
    if missing := trajectory.missing(1, iterations):
        actual += f", none for iteration {missing[0]}"
    if key.rank not in observed.ranks:
        actual += " for a rank that the case does not have"
    result.expect(
        trajectory_findings.subject(key),
        f"{iterations} numbers",
        actual,
        rank=key.rank,
    )


def _check_checkpoints(
    observed: observations.Observations,
    golden: golden_pb2.Golden,
    result: check.Check,
) -> None:
    checkpoints = golden.checkpoints
    saves = (
        observed.save_iterations(0, observed.case.training.iterations)
        if observed.golden_holds_states
        else []
    )
    result.expect(
        _Fact.GOLDEN_CHECKPOINTS,
        check.integers(saves),
        check.integers(checkpoint.iteration for checkpoint in checkpoints),
    )
    for checkpoint in checkpoints:
        digests = [bool(digest) for digest in checkpoint.digests]
        result.expect(
            _Fact.GOLDEN_STATE_DIGESTS,
            f"{len(observed.ranks)} digests",
            f"{sum(digests)} digests of {len(digests)} ranks"
            if digests != [True] * len(observed.ranks)
            else f"{len(observed.ranks)} digests",
            iteration=checkpoint.iteration,
        )


def _presence(there: bool) -> str:
    return "a series" if there else "no series"
