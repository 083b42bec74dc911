"""Tests for drawing how far an attempt is from the golden."""

import math

import numpy as np
from absl.testing import absltest

from regress.golden import series
from regress.report.html import differences

_LOSS = series.Key("lm loss", "", 3)
_RATE = series.Key("learning rate", "default", 0)


def _trajectory(*values: float, first: int = 1) -> series.Trajectory:
    return series.Trajectory(
        np.arange(first, first + len(values), dtype=np.int64),
        np.array(values, np.float64),
    )


class DistancesTest(absltest.TestCase):
    def test_what_is_the_same_is_not_there(self) -> None:
        golden = {_LOSS: _trajectory(3, 2, 1)}
        self.assertEmpty(differences.distances(golden, golden))
        self.assertEmpty(differences.distances(golden, {}))

    def test_is_relative_to_the_larger_number(self) -> None:
        golden = {_LOSS: _trajectory(3, 2, 1), _RATE: _trajectory(1, 1, 1)}
        attempt = {
            # The next float32, and the next float64.
            _LOSS: _trajectory(2, 1 + 2**-23, first=2),
            _RATE: _trajectory(1, 1 + 2**-52, 1),
        }
        self.assertEqual(
            differences.distances(golden, attempt),
            {
                "learning rate default": ([2], [2**-52 / (1 + 2**-52)]),
                "lm loss": ([3], [2**-23 / (1 + 2**-23)]),
            },
        )

    def test_a_digest_is_at_no_distance(self) -> None:
        key = series.Key("data digest", "", 0)
        self.assertEmpty(
            differences.distances({key: _trajectory(1)}, {key: _trajectory(2)})
        )

    def test_neither_is_nan(self) -> None:
        golden = {_LOSS: _trajectory(3, 2)}
        attempt = {_LOSS: _trajectory(math.nan, 2 + 2**-22)}
        self.assertEqual(
            differences.distances(golden, attempt),
            {"lm loss": ([2], [2**-22 / (2 + 2**-22)])},
        )

    def test_a_zero_is_as_far_as_can_be(self) -> None:
        golden = {_LOSS: _trajectory(0.0, 0.0)}
        attempt = {_LOSS: _trajectory(1e-9, -0.0)}
        self.assertEqual(
            differences.distances(golden, attempt),
            {"lm loss": ([1, 2], [1.0, 0.0])},
        )

    def test_of_many_some_are_drawn(self) -> None:
        golden = {_LOSS: _trajectory(*[1.0] * 10_000)}
        attempt = {_LOSS: _trajectory(*[2.0] * 10_000)}
        iterations, _ = differences.distances(golden, attempt)["lm loss"]
        self.assertLessEqual(len(iterations), 500)
        self.assertEqual((iterations[0], iterations[-1]), (1, 10_000))


if __name__ == "__main__":
    absltest.main()
