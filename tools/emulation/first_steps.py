"""Compares a run's first iterations with a golden, bit by bit."""

import dataclasses

from regress.golden import series
from regress.run import run_pb2


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The result of the comparison.

    Attributes:
        compared: How many values were compared.
        differing: A description of each value that differs.
    """

    compared: int
    differing: list[str]


def compare(
    attempt: run_pb2.Attempt, golden: series.Trajectories, iterations: int
) -> Comparison:
    """Compares iterations 1 to `iterations` of all metrics on all ranks.

    A value that the run does not have counts as differing.
    """
    found = series.from_attempt(attempt)
    compared = 0
    differing = []
    for key, trajectory in golden.items():
        for iteration in range(1, iterations + 1):
            expected = trajectory.at(iteration)
            actual = found[key].at(iteration) if key in found else []
            compared += 1
            if [value.hex() for value in expected] != [
                value.hex() for value in actual
            ]:
                differing.append(
                    f"{series.describe(key)}, iteration {iteration}:"
                    f" expected {expected}, actual {actual}"
                )
    return Comparison(compared, differing)
