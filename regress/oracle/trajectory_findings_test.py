"""Tests for turning differences between trajectories into findings."""

import math

import numpy as np
from absl.testing import absltest

from regress.golden import series
from regress.oracle import check, rules, trajectory_findings
from regress.report import wording

_LOSS = series.Key("lm loss", "", 0)
_RATE = series.Key("learning rate", "decoupled", 0)


def _trajectory(
    values: list[float], first: int = 1, iterations: list[int] | None = None
) -> series.Trajectory:
    if iterations is None:
        iterations = list(range(first, first + len(values)))
    return series.Trajectory(
        np.array(iterations, np.int64), np.array(values, np.float64)
    )


def _compare(
    expected: series.Trajectories,
    actual: series.Trajectories,
    steps: range = range(1, 4),
    **bands: float,
) -> check.Outcome:
    result = check.Check(rules.RESUMED_METRICS)
    trajectory_findings.compare(
        result,
        expected,
        actual,
        {0: steps},
        attempt=1,
        bands={name.replace("_", " "): band for name, band in bands.items()},
    )
    return result.outcome()


class CompareTest(absltest.TestCase):
    def test_passes_equal_bits(self):
        values = {_LOSS: _trajectory([1.0, 0.5, -0.0])}
        outcome = _compare(values, values)
        self.assertEqual((outcome.compared, outcome.differing), (3, 0))

    def test_describes_a_number_that_differs(self):
        outcome = _compare(
            {_LOSS: _trajectory([1.0, 0.5, 0.25])},
            {_LOSS: _trajectory([1.0, 0.5 + 2**-24, 0.25])},
        )
        self.assertEqual((outcome.compared, outcome.differing), (3, 1))
        (finding,) = outcome.findings
        self.assertEqual(wording.subject(finding), "lm loss")
        self.assertEqual(
            (finding.attempt, finding.rank, finding.iteration), (1, 0, 2)
        )
        self.assertEqual(wording.expected(finding), "0.5 (0x1p-1)")
        self.assertEqual(wording.actual(finding), "0.50000006 (0x1.000002p-1)")
        self.assertEqual(finding.absolute, 2**-24)
        self.assertEqual(finding.relative, 2**-23)
        self.assertEqual(finding.ulps, 1)

    def test_a_step_without_a_number_is_of_its_attempt(self):
        outcome = _compare(
            {_LOSS: _trajectory([1.0, 0.5, 0.25])},
            {_LOSS: _trajectory([1.0, 0.25], iterations=[1, 3])},
        )
        (finding,) = outcome.findings
        self.assertTrue(finding.HasField("attempt"))
        self.assertEqual(
            (finding.attempt, finding.rank, finding.iteration), (1, 0, 2)
        )

    def test_counts_a_learning_rates_distance_in_float64(self):
        outcome = _compare(
            {_RATE: _trajectory([1.0, 1.0, 1.0])},
            {_RATE: _trajectory([1.0, 1.0, math.nextafter(1.0, 2.0)])},
        )
        (finding,) = outcome.findings
        self.assertEqual(
            wording.subject(finding), 'learning rate of group "decoupled"'
        )
        self.assertEqual(finding.ulps, 1)

    def test_a_metric_may_stay_within_its_band_and_no_other_metric_may(self):
        within = {key: _trajectory([1.0, 1.125, 1.0]) for key in (_LOSS, _RATE)}
        outcome = _compare(
            {key: _trajectory([1.0] * 3) for key in (_LOSS, _RATE)},
            within,
            lm_loss=0.25,
        )
        (finding,) = outcome.findings
        self.assertEqual(finding.metric.name, "learning rate")
        self.assertFalse(finding.expected.number.HasField("band"))

    def test_a_value_beyond_its_band_is_found_with_the_band(self):
        outcome = _compare(
            {_LOSS: _trajectory([1.0, 1.0, 1.0])},
            {_LOSS: _trajectory([1.125, 1.5, 1.0])},
            lm_loss=0.25,
        )
        (finding,) = outcome.findings
        self.assertEqual(finding.iteration, 2)
        self.assertEqual(finding.expected.number.band, 0.25)

    def test_gives_no_distance_between_digests(self):
        digest = series.Key("data digest", "", 0)
        outcome = _compare(
            {digest: _trajectory([1.0, 2.0, 3.0])},
            {digest: _trajectory([1.0, 2.0, 4.0])},
        )
        (finding,) = outcome.findings
        self.assertEqual(finding.iteration, 3)
        for field in ("absolute", "relative", "ulps"):
            self.assertFalse(finding.HasField(field), field)

    def test_looks_at_no_other_iteration_and_no_other_rank(self):
        other_rank = series.Key("lm loss", "", 1)
        outcome = _compare(
            {_LOSS: _trajectory([9.0, 2.0, 3.0, 9.0])},
            {
                _LOSS: _trajectory([2.0, 3.0], first=2),
                other_rank: _trajectory([7.0, 7.0, 7.0]),
            },
            range(2, 4),
        )
        self.assertEqual((outcome.compared, outcome.differing), (2, 0))

    def test_looks_at_the_ranks_after_one_that_it_does_not_look_at(self):
        result = check.Check(rules.RESUMED_METRICS)
        trajectory_findings.compare(
            result,
            {
                series.Key("lm loss", "", rank): _trajectory([1.0])
                for rank in (0, 1)
            },
            {},
            {1: range(1, 2)},
            attempt=1,
        )
        (finding,) = result.outcome().findings
        self.assertEqual(finding.rank, 1)

    def test_an_absent_metric_differs_everywhere_on_either_side(self):
        both = {_LOSS: _trajectory([1.0] * 3), _RATE: _trajectory([1.0] * 3)}
        loss_only = {_LOSS: both[_LOSS]}
        for expected, actual, texts in (
            (both, loss_only, ("3 values", "no value")),
            (loss_only, both, ("no value", "3 values")),
        ):
            outcome = _compare(expected, actual)
            self.assertEqual((outcome.compared, outcome.differing), (6, 3))
            (finding,) = outcome.findings
            self.assertEqual(
                (wording.expected(finding), wording.actual(finding)), texts
            )
            self.assertEqual(finding.iteration, 1)

    def test_a_missing_iteration_differs_and_shifts_nothing(self):
        outcome = _compare(
            {_LOSS: _trajectory([1.0, 2.0, 3.0])},
            {_LOSS: _trajectory([1.0, 3.5], iterations=[1, 3])},
        )
        self.assertEqual((outcome.compared, outcome.differing), (3, 2))
        missing, differing = outcome.findings
        self.assertEqual(
            (
                missing.iteration,
                wording.expected(missing),
                wording.actual(missing),
            ),
            (2, "one value", "no value"),
        )
        self.assertEqual(differing.iteration, 3)
        self.assertEqual(differing.absolute, 0.5)

    def test_a_doubled_iteration_differs_even_if_both_values_are_right(self):
        outcome = _compare(
            {_LOSS: _trajectory([1.0, 2.0, 3.0])},
            {_LOSS: _trajectory([1.0, 2.0, 2.0, 3.0], iterations=[1, 2, 2, 3])},
        )
        self.assertEqual((outcome.compared, outcome.differing), (3, 1))
        (finding,) = outcome.findings
        self.assertEqual(
            (finding.iteration, wording.actual(finding)), (2, "2 values")
        )

    def test_a_step_that_nobody_has_differs(self):
        half = {_LOSS: _trajectory([1.0, 3.0], iterations=[1, 3])}
        outcome = _compare(half, half)
        self.assertEqual((outcome.compared, outcome.differing), (3, 1))

    def test_compares_values_that_are_recorded_out_of_order(self):
        outcome = _compare(
            {_LOSS: _trajectory([1.0, 2.0, 3.0])},
            {_LOSS: _trajectory([2.0, 1.0, 3.0], iterations=[2, 1, 3])},
        )
        self.assertEqual(outcome.differing, 0)

    def test_values_that_are_right_one_step_later_differ(self):
        outcome = _compare(
            {_LOSS: _trajectory([1.0, 2.0, 3.0])},
            {_LOSS: _trajectory([0.0, 1.0, 2.0])},
        )
        self.assertEqual(outcome.differing, 3)

    def test_compares_nothing_where_nothing_is(self):
        self.assertEqual(_compare({}, {}).compared, 0)

    def test_bounds_the_findings_of_a_wholly_wrong_metric(self):
        outcome = _compare(
            {_LOSS: _trajectory([1.0] * 500)},
            {_LOSS: _trajectory([2.0] * 500)},
            range(1, 501),
        )
        self.assertEqual(outcome.differing, 500)
        self.assertLen(outcome.findings, check.SUBJECTS_KEPT)

    def test_knows_nothing_of_unknown_metrics_but_their_values(self):
        unknown = series.Key("temperature", "", 0)
        outcome = _compare(
            {unknown: _trajectory([1.0] * 3)}, {unknown: _trajectory([2.0] * 3)}
        )
        self.assertEqual(outcome.differing, 3)


if __name__ == "__main__":
    absltest.main()
