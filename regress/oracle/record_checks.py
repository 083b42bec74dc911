"""Checks what every rank of an attempt must have recorded.

Each of the case's ranks must be in the record once. It must have loaded the
right checkpoint, recorded every step, written every checkpoint and consumed
every sample.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from regress.golden import series
from regress.oracle import (
    check,
    expected_run,
    observations,
    rules,
    trajectory_findings,
    verdict_pb2,
)
from regress.run import run_pb2

_Fact = verdict_pb2.Fact
_Kind = run_pb2.CheckpointEvent
_SAYS_NOTHING = "nothing"
_FOUND_NOTHING = "NONE_FOUND 0"
_METRIC = "consumed samples"


def check_ranks(
    observed: observations.Observations, rule: rules.Rule
) -> check.Outcome:
    """Checks that an attempt has each of the case's ranks, started once.

    Args:
        observed: The indexed case, run record and golden.
        rule: The rule that the check applies. It names the attempt.
    """
    assert rule.attempt is not None
    result = check.Check(rule)
    if rule.attempt < len(observed.attempts):
        compare_ranks(observed, result, observed.attempt(rule.attempt))
    return result.outcome()


def compare_ranks(
    observed: observations.Observations,
    result: check.Check,
    attempt: observations.Attempt,
) -> None:
    """Finds whether each of the case's ranks is there, as one process."""
    result.expect(
        _Fact.RANKS,
        check.integers(observed.ranks),
        check.integers(sorted(attempt.ranks)),
        attempt=attempt.index,
    )
    for rank, timeline in attempt.timelines.items():
        result.expect(
            _Fact.START,
            check.times(1),
            check.times(len(timeline.started)),
            attempt=attempt.index,
            rank=rank,
        )


def check_steps(
    rule: rules.Rule,
    attempt: observations.Attempt,
    steps: Mapping[int, range],
) -> check.Outcome:
    """Compares the steps that each rank recorded with the expected ones.

    Args:
        rule: The rule that the check applies.
        attempt: The attempt.
        steps: The iterations that must be recorded, by rank.
    """
    result = check.Check(rule)
    for rank, timeline in attempt.timelines.items():
        expected = steps.get(rank, range(0))
        recorded = timeline.iterations
        if recorded == list(expected):
            result.count(len(expected), 0)
            continue
        found = _differences(expected, recorded)
        result.count(max(len(expected), len(recorded)), len(found))
        for iteration, wanted, actual in found:
            result.find(
                _Fact.STEP,
                wanted,
                actual,
                attempt=attempt.index,
                rank=rank,
                iteration=iteration,
            )
    return result.outcome()


def _differences(
    expected: range, recorded: list[int]
) -> list[tuple[int, verdict_pb2.Value | str, verdict_pb2.Value | str]]:
    """Returns iteration, expected value and actual value of each difference.

    The differences are sorted by iteration.
    """
    counts = Counter(recorded)
    found: list[
        tuple[int, verdict_pb2.Value | str, verdict_pb2.Value | str]
    ] = [
        (iteration, check.times(1), check.times(counts[iteration]))
        for iteration in expected
        if counts[iteration] != 1
    ]
    found += [
        (iteration, check.times(0), check.times(count))
        for iteration, count in counts.items()
        if iteration not in expected
    ]
    if not found:
        # Every step was recorded once, so the order is wrong.
        place = next(
            place
            for place, iteration in enumerate(expected)
            if recorded[place] != iteration
        )
        found.append(
            (expected[place], "in order", f"after step {recorded[place]}")
        )
    return sorted(found, key=lambda one: one[0])


def check_loads_nothing(observed: observations.Observations) -> check.Outcome:
    """Checks that attempt 0 loaded no checkpoint."""
    result = check.Check(rules.STARTED_FROM_NOTHING)
    for rank, timeline in observed.attempt(0).timelines.items():
        sought = _sought(timeline)
        result.expect(
            _Fact.LOADED_BY_FIRST_ATTEMPT,
            # A trainer need not report that it found nothing.
            _FOUND_NOTHING if sought != _SAYS_NOTHING else _SAYS_NOTHING,
            sought,
            attempt=0,
            rank=rank,
        )
    return result.outcome()


def check_load(
    observed: observations.Observations, index: int
) -> check.Outcome:
    """Checks that an attempt loaded the newest checkpoint, once."""
    return check_loaded(
        rules.CHECKPOINT_LOADED.of_attempt(index),
        observed.load(index),
        _Fact.LOADED_BY_RESUME,
    )


def check_loaded(
    rule: rules.Rule,
    load: observations.Load,
    subject: verdict_pb2.Fact.Kind,
) -> check.Outcome:
    """Checks that each rank made a load, once, and no other."""
    result = check.Check(rule)
    for rank, timeline in load.loader.timelines.items():
        result.expect(
            subject,
            f"LOADED {load.iteration}",
            _sought(timeline),
            attempt=load.loader.index,
            rank=rank,
        )
    return result.outcome()


def _sought(timeline: observations.Timeline) -> str:
    events = [
        f"{check.enum_name(_Kind.Kind, event.kind)} {event.iteration}"
        for event in timeline.checkpoints
        if event.kind != _Kind.SAVED
    ]
    return ", ".join(events) or _SAYS_NOTHING


def check_saves(
    rule: rules.Rule,
    attempt: observations.Attempt,
    saves: Mapping[int, Sequence[int]],
) -> check.Outcome:
    """Compares the checkpoints that each rank wrote with the expected ones.

    Args:
        rule: The rule that the check applies.
        attempt: The attempt.
        saves: The iterations whose checkpoints must be written, by rank.
    """
    result = check.Check(rule)
    for rank, timeline in attempt.timelines.items():
        result.expect(
            _Fact.CHECKPOINTS_WRITTEN,
            check.integers(saves.get(rank, ())),
            check.integers(
                timeline.checkpoint_iterations(run_pb2.CheckpointEvent.SAVED)
            ),
            attempt=attempt.index,
            rank=rank,
        )
    return result.outcome()


def check_samples(
    observed: observations.Observations, rule: rules.Rule
) -> check.Outcome:
    """Checks the consumed samples of the rule's attempt."""
    assert rule.attempt is not None
    index = rule.attempt
    wanted = expected_run.steps(observed, index)
    result = check.Check(rule)
    if index < len(observed.attempts):
        recorded = observed.attempts[index].trajectories
        trajectory_findings.compare(
            result,
            {
                series.Key(_METRIC, "", rank): _samples(observed, iterations)
                for rank, iterations in wanted.items()
            },
            {
                key: trajectory
                for key, trajectory in recorded.items()
                if key.metric == _METRIC
            },
            wanted,
            attempt=index,
        )
    return result.outcome()


def _samples(
    observed: observations.Observations, iterations: range
) -> series.Trajectory:
    counted = np.arange(iterations.start, iterations.stop, dtype=np.int64)
    batch = observed.case.training.global_batch_size
    return series.Trajectory(counted, (counted * batch).astype(np.float64))
