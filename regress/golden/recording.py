"""Checks and indexes one uninterrupted run, to make a golden from it."""

import dataclasses
from collections.abc import Sequence

from regress.case import derived
from regress.golden import errors, metrics, series
from regress.run import attempt_end, run_pb2


@dataclasses.dataclass(frozen=True)
class Recording:
    """What one complete, uninterrupted run recorded.

    Attributes:
        name: Name of the run in messages, such as "run 1".
        run: The run record.
        environment: The environment that every rank reported.
        trajectories: All metrics, each complete and without a NaN.
        states: Digests of the saved state, by (iteration, rank).
    """

    name: str
    run: run_pb2.RunRecord
    environment: run_pb2.Environment
    trajectories: series.Trajectories
    states: dict[tuple[int, int], run_pb2.StateDigest]


def of_run(run: run_pb2.RunRecord, name: str, hardware: str) -> Recording:
    """Checks that a run is complete, and indexes it.

    Args:
        run: The run record.
        name: Name of the run in messages.
        hardware: The hardware that the run's target declares.

    Raises:
        GoldenError: The run was interrupted, failed, resumed from a checkpoint
            or ran on other hardware, or its record is incomplete.
    """
    if len(run.attempts) != 1:
        raise errors.GoldenError(
            f"{name} has {len(run.attempts)} attempts, expected 1, of an "
            "uninterrupted run"
        )
    (attempt,) = run.attempts
    if attempt.HasField("interruption"):
        raise errors.GoldenError(
            f"{name} was interrupted in iteration "
            f"{attempt.interruption.iteration}, expected an uninterrupted run"
        )
    if attempt.HasField("end"):
        raise errors.GoldenError(
            f"{name} ended early: {attempt_end.describe(attempt.end)}"
        )
    found = [rank.rank for rank in attempt.ranks]
    wanted = list(range(run.case.parallelism.pipeline))
    if found != wanted:
        raise errors.GoldenError(
            f"{name} has ranks {found}, expected ranks {wanted}"
        )
    iterations = run.case.training.iterations
    for rank in attempt.ranks:
        _check_ran_to_the_end(rank, name, iterations)
    return Recording(
        name,
        run,
        _environment(attempt.ranks, name, hardware),
        _trajectories(attempt, name, iterations),
        _states(run, attempt, name),
    )


def _check_ran_to_the_end(
    rank: run_pb2.RankRecord, name: str, iterations: int
) -> None:
    where = f"rank {rank.rank} of {name}"
    if rank.exit.cause != run_pb2.ExitStatus.BY_ITSELF or rank.exit.signal:
        cause = run_pb2.ExitStatus.Cause.Name(rank.exit.cause)
        raise errors.GoldenError(
            f"{where} was ended by signal {rank.exit.signal} ({cause}), "
            "expected exit code 0"
        )
    if rank.exit.code:
        raise errors.GoldenError(
            f"{where} ended with exit code {rank.exit.code}, expected 0"
        )
    if rank.torn:
        raise errors.GoldenError(
            f"{where} has an event file that ends in the middle of a record"
        )
    loaded = [
        event.checkpoint.iteration
        for event in rank.events
        if event.checkpoint.kind == run_pb2.CheckpointEvent.LOADED
    ]
    if loaded:
        raise errors.GoldenError(
            f"{where} resumed from iteration {loaded[0]}, expected a run from "
            "the beginning"
        )
    finished = [
        event.finished.iteration
        for event in rank.events
        if event.HasField("finished")
    ]
    if finished != [iterations]:
        raise errors.GoldenError(
            f"{where} finished at iterations {finished}, expected "
            f"[{iterations}]"
        )


def _environment(
    ranks: Sequence[run_pb2.RankRecord], name: str, hardware: str
) -> run_pb2.Environment:
    environments = {}
    for rank in ranks:
        found = [
            e.started.environment for e in rank.events if e.HasField("started")
        ]
        if len(found) != 1:
            raise errors.GoldenError(
                f"rank {rank.rank} of {name} reported its environment "
                f"{len(found)} times, expected once"
            )
        (environments[rank.rank],) = found
        _check_settings(rank, name)
    first = environments[0]
    for number, environment in environments.items():
        if environment != first:
            raise errors.GoldenError(
                f"rank {number} of {name} ran in another environment than "
                "rank 0"
            )
    if first.hardware != hardware:
        raise errors.GoldenError(
            f"{name} found hardware {first.hardware}, expected {hardware}"
        )
    return first


def _check_settings(rank: run_pb2.RankRecord, name: str) -> None:
    """Refuses a run that computed with other settings than were set up."""
    wanted: dict[str, str] = {}
    for event in rank.events:
        if event.HasField("started"):
            wanted = dict(event.started.wanted_settings)
            found = event.started.environment.settings
        elif event.HasField("settings_change"):
            found = event.settings_change.settings
        else:
            continue
        for setting, value in sorted(wanted.items()):
            if found.get(setting) != value:
                raise errors.GoldenError(
                    f"rank {rank.rank} of {name} ran with setting {setting} at "
                    f"{found.get(setting, 'no value')}, expected {value}, as "
                    "the backend had set it up"
                )


def _trajectories(
    attempt: run_pb2.Attempt, name: str, iterations: int
) -> series.Trajectories:
    trajectories = series.from_attempt(attempt)
    for rank in attempt.ranks:
        _check_all_metrics(rank.rank, attempt, name, trajectories)
    for key, trajectory in trajectories.items():
        if reason := series.why_incomplete(key, trajectory, iterations):
            raise errors.GoldenError(f"{name}: {reason}")
    return trajectories


def _check_all_metrics(
    rank: int,
    attempt: run_pb2.Attempt,
    name: str,
    trajectories: series.Trajectories,
) -> None:
    last_rank = attempt.ranks[-1].rank
    for metric in metrics.STEP_METRICS:
        key = series.Key(metric.name, "", rank)
        wanted = metric.is_recorded_by(rank, last_rank)
        if wanted and key not in trajectories:
            raise errors.GoldenError(
                f"{name} did not record {series.describe(key)}"
            )
        if not wanted and key in trajectories:
            raise errors.GoldenError(
                f"{name} recorded {series.describe(key)}, expected it only on "
                f"{_ranks_that_record(metric, last_rank)}: the test would "
                "refuse a golden with it, so the trainer must not report it "
                "there"
            )
    if not any(key.param_group and key.rank == rank for key in trajectories):
        raise errors.GoldenError(
            f"{name} did not record a param group on rank {rank}"
        )


def _ranks_that_record(metric: metrics.Metric, last_rank: int) -> str:
    ranks = [
        str(rank)
        for rank in range(last_rank + 1)
        if metric.is_recorded_by(rank, last_rank)
    ]
    return (
        f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {', '.join(ranks)}"
    )


def _states(
    run: run_pb2.RunRecord, attempt: run_pb2.Attempt, name: str
) -> dict[tuple[int, int], run_pb2.StateDigest]:
    recorded = [
        (event.state.iteration, rank.rank, event.state)
        for rank in attempt.ranks
        for event in rank.events
        if event.state.moment == run_pb2.StateDigest.SAVED
    ]
    wanted = [
        (iteration, rank.rank)
        for iteration in derived.save_iterations(
            run.case, 0, run.case.training.iterations
        )
        for rank in attempt.ranks
    ]
    found = sorted((iteration, rank) for iteration, rank, _ in recorded)
    if found != wanted:
        raise errors.GoldenError(
            f"{name} digested the saved state of (iteration, rank) {found}, "
            f"expected {wanted}"
        )
    for iteration, rank, state in recorded:
        if not state.entries:
            raise errors.GoldenError(
                f"{name} digested no entry of the state of rank {rank} at "
                f"iteration {iteration}"
            )
    return {(iteration, rank): state for iteration, rank, state in recorded}
