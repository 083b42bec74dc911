"""Tests for comparing the metrics of two sources."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from regress.golden import series, trajectory_comparison

_LOSS = series.Key("lm loss", "", 0)
_NORM = series.Key("grad norm", "", 1)


def _trajectory(**values: float) -> series.Trajectory:
    """Makes a trajectory of values by iteration.

    Args:
        **values: The values: `_3=1.0` is iteration 3, `_3_again=2.0` is a
            second value of it.
    """
    iterations = [int(name.split("_")[1]) for name in values]
    return series.Trajectory(
        np.array(iterations, np.int64), np.array(list(values.values()))
    )


_ONE = _trajectory(_1=1.0, _2=2.0, _3=3.0)


class CompareTest(parameterized.TestCase):
    def test_the_same_bits_are_the_same(self) -> None:
        (one,) = trajectory_comparison.compare({_LOSS: _ONE}, {_LOSS: _ONE})
        self.assertEqual(
            (one.key, one.steps, one.totals), (_LOSS, range(1, 4), (3, 3))
        )
        self.assertEmpty(one.iterations)
        self.assertEmpty(one.pairs)

    @parameterized.parameters(2.0000000000000004, math.nan, -2.0)
    def test_another_value_differs(self, value: float) -> None:
        other = _trajectory(_1=1.0, _2=value, _3=3.0)
        (one,) = trajectory_comparison.compare({_LOSS: _ONE}, {_LOSS: other})
        np.testing.assert_equal(one.pairs, [(2, 2.0, value)])
        self.assertEqual(one.counts.tolist(), [[1], [1]])
        self.assertEqual(one.counts.dtype, np.int64)

    def test_a_nan_differs_from_itself(self) -> None:
        nan = _trajectory(_1=math.nan)
        (one,) = trajectory_comparison.compare({_LOSS: nan}, {_LOSS: nan})
        self.assertEqual(one.iterations.tolist(), [1])

    @parameterized.parameters(
        # A value is missing, doubled or out of order.
        (_trajectory(_1=1.0, _3=3.0), [2], [[1], [0]]),
        (_trajectory(_1=1.0, _2=2.0, _2_again=2.0, _3=3.0), [2], [[1], [2]]),
        (_trajectory(_3=3.0, _2=2.0, _1=1.0), [], [[], []]),
        (
            _trajectory(_3=4.0, _2=2.0, _4=4.0),
            [1, 3, 4],
            [[1, 1, 0], [0, 1, 1]],
        ),
    )
    def test_counts_the_values_of_each(
        self,
        other: series.Trajectory,
        iterations: list[int],
        counts: list[list[int]],
    ) -> None:
        (one,) = trajectory_comparison.compare({_LOSS: _ONE}, {_LOSS: other})
        self.assertEqual(one.iterations.tolist(), iterations)
        self.assertEqual(one.counts.tolist(), counts)
        whole = [
            before == after == 1 for before, after in zip(*counts, strict=True)
        ]
        self.assertEqual(one.has_values.tolist(), whole)
        self.assertEqual(
            np.isnan(one.values).any(axis=0).tolist(),
            [not there for there in whole],
        )

    def test_a_metric_that_one_lacks_differs_everywhere(self) -> None:
        ours, theirs = {_LOSS: _ONE}, {_NORM: _ONE}
        norm, loss = sorted(
            trajectory_comparison.compare(ours, theirs),
            key=lambda one: one.totals,
        )
        self.assertEqual((norm.key, norm.totals), (_NORM, (0, 3)))
        self.assertEqual((loss.key, loss.totals), (_LOSS, (3, 0)))
        for one in (norm, loss):
            self.assertEqual(one.iterations.tolist(), [1, 2, 3])
            self.assertEmpty(one.pairs)

    def test_looks_at_no_other_iterations_or_ranks(self) -> None:
        other = _trajectory(_1=9.0, _2=2.0, _3=9.0)
        (one,) = trajectory_comparison.compare(
            {_LOSS: _ONE, _NORM: _ONE},
            {_LOSS: other, _NORM: other},
            {0: range(2, 3), 2: range(1, 4)},
        )
        self.assertEqual((one.key, one.steps), (_LOSS, range(2, 3)))
        self.assertEmpty(one.iterations)
        # Nothing is compared where neither source has a value.
        steps = {0: range(7, 9), 1: range(0)}
        self.assertEmpty(
            list(
                trajectory_comparison.compare(
                    {_LOSS: _ONE, _NORM: _ONE}, {_LOSS: other}, steps
                )
            )
        )
        self.assertEmpty(
            list(
                trajectory_comparison.compare({_LOSS: series.NO_TRAJECTORY}, {})
            )
        )

    @parameterized.parameters((0.6, []), (0.4, [2]))
    def test_a_band_is_of_the_expected_value(
        self, band: float, iterations: list[int]
    ) -> None:
        other = _trajectory(_1=1.0, _2=3.0, _3=3.0)
        for expected in (_ONE, _trajectory(_2=2.0, _1=1.0, _3=3.0)):
            (one,) = trajectory_comparison.compare(
                {_LOSS: expected}, {_LOSS: other}, bands={"lm loss": band}
            )
            self.assertEqual(one.iterations.tolist(), iterations)


if __name__ == "__main__":
    absltest.main()
