"""Were as many samples consumed as the iterations say?"""

from collections.abc import Mapping

import numpy as np

from regress.golden import series
from regress.oracle import evidence, rules, steps, tally, trajectory_comparison

_METRIC = "consumed samples"


def check_interrupted(facts: evidence.Evidence) -> tally.Outcome:
    """Checks the consumed samples of attempt 0."""
    return _check(facts, rules.INTERRUPTED_SAMPLES, 0, steps.interrupted(facts))


def check_resumed(facts: evidence.Evidence) -> tally.Outcome:
    """Checks the consumed samples of attempt 1."""
    return _check(facts, rules.RESUMED_SAMPLES, 1, steps.resumed(facts))


def _check(
    facts: evidence.Evidence,
    rule: rules.Rule,
    index: int,
    wanted: Mapping[int, range],
) -> tally.Outcome:
    result = tally.Tally(rule)
    if index < len(facts.attempts):
        recorded = facts.attempts[index].trajectories
        trajectory_comparison.compare(
            result,
            {
                series.Key(_METRIC, "", rank): _samples(facts, iterations)
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


def _samples(facts: evidence.Evidence, iterations: range) -> series.Trajectory:
    counted = np.arange(iterations.start, iterations.stop, dtype=np.int64)
    batch = facts.case.training.global_batch_size
    return series.Trajectory(counted, (counted * batch).astype(np.float64))
