"""Tests for the bands of a golden for hardware `any`."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from regress.golden import bands, errors, golden_pb2, metrics, series

_RELAXABLE = [metric.name for metric in metrics.METRICS if metric.relaxable]


def _golden() -> golden_pb2.Golden:
    return golden_pb2.Golden(
        case_name="small",
        hardware="nvidia_h200",
        iterations=2,
        series=[
            golden_pb2.Series(metric=name, ranks=[0, 1], values=[4.0, 8.0])
            for name in [*_RELAXABLE, "loss scale"]
        ],
        checkpoints=[golden_pb2.CheckpointDigest(iteration=2)],
    )


def _variation(name: str, factor: float, iteration: int) -> bands.Variation:
    """Returns the golden with rank 1's grad norm scaled in one iteration."""
    trajectories = series.unfold(_golden().series)
    values = trajectories[series.Key("grad norm", "", 1)].values.copy()
    values[iteration - 1] *= factor
    trajectories[series.Key("grad norm", "", 1)] = series.Trajectory(
        np.array([1, 2]), values
    )
    return bands.Variation(name, "nvidia_h100", trajectories)


def _any() -> golden_pb2.Golden:
    return bands.derive(
        _golden(), [_variation("a", 1.25, 2), _variation("b", 0.5, 1)]
    )


class DeriveTest(absltest.TestCase):
    def test_a_band_is_twice_the_largest_distance(self) -> None:
        golden = _any()
        self.assertEqual(golden.hardware, "any")
        (band,) = (b for b in golden.bands if b.metric == "grad norm")
        self.assertEqual(band.relative, 1.0)
        self.assertEqual(
            [
                (m.variation, m.hardware, m.relative, m.iteration)
                for m in band.measurements
            ],
            [("a", "nvidia_h100", 0.25, 2), ("b", "nvidia_h100", 0.5, 1)],
        )

    def test_what_never_differed_may_not_differ(self) -> None:
        self.assertEqual(bands.from_golden(_any())["lm loss"], 0.0)

    def test_only_what_depends_on_the_hardware_has_a_band(self) -> None:
        self.assertCountEqual(bands.from_golden(_any()), _RELAXABLE)
        self.assertNotIn("learning rate", _RELAXABLE)
        self.assertNotIn("data digest", _RELAXABLE)

    def test_a_digest_may_be_anything(self) -> None:
        self.assertEqual(
            bands.from_golden(_any())["random state digest"], math.inf
        )

    def test_states_are_left_to_the_oracles_that_need_no_golden(self) -> None:
        self.assertEmpty(_any().checkpoints)

    def test_needs_a_variation(self) -> None:
        with self.assertRaisesRegex(errors.GoldenError, "but there is none"):
            bands.derive(_golden(), [])

    def test_needs_every_metric(self) -> None:
        variation = _variation("a", 1.0, 1)
        for rank in (0, 1):
            del variation.trajectories[series.Key("params norm", "", rank)]
        with self.assertRaisesRegex(errors.GoldenError, "has no params norm"):
            bands.derive(_golden(), [variation])

    def test_needs_numbers(self) -> None:
        with self.assertRaisesRegex(errors.GoldenError, "grad norm on rank 1"):
            bands.derive(_golden(), [_variation("a", math.nan, 2)])


class WhyWrongTest(parameterized.TestCase):
    def test_finds_nothing_wrong(self) -> None:
        self.assertEqual(bands.why_wrong(_golden()), "")
        self.assertEqual(bands.why_wrong(_any()), "")

    def test_an_exact_golden_has_none(self) -> None:
        golden = _golden()
        golden.bands.add(metric="lm loss", relative=0.1)
        self.assertRegex(bands.why_wrong(golden), "has a band for lm loss")

    @parameterized.parameters(
        lambda golden: golden.bands.pop(),
        lambda golden: golden.bands.add(metric="learning rate"),
        lambda golden: golden.bands.add(metric="grad norm"),
    )
    def test_there_is_one_for_each_metric_that_may_have_one(
        self, change
    ) -> None:
        golden = _any()
        change(golden)
        self.assertRegex(bands.why_wrong(golden), "expected one for each of")

    def test_it_is_what_was_measured(self) -> None:
        for band in _any().bands:
            golden = _any()
            changed = next(b for b in golden.bands if b.metric == band.metric)
            changed.relative = 0.3
            with self.subTest(band.metric):
                self.assertRegex(
                    bands.why_wrong(golden), "0.3, expected .* measurements"
                )

    def test_it_was_measured_at_all(self) -> None:
        golden = _any()
        for band in golden.bands:
            if band.metric == "lm loss":
                del band.measurements[:]
        self.assertRegex(bands.why_wrong(golden), "expected nan")


if __name__ == "__main__":
    absltest.main()
