"""Tests for the table of metrics."""

from absl.testing import absltest

from regress.golden import metrics
from regress.run import run_pb2


class MetricsTest(absltest.TestCase):
    def test_lists_every_field_of_a_step_that_holds_a_metric(self) -> None:
        fields = run_pb2.StepMetrics.DESCRIPTOR.fields
        # Neither is what a step computed.
        others = {"updated", "peak_device_bytes"}
        numbers = {f.name for f in fields if f.has_presence} - others
        self.assertCountEqual([m.field for m in metrics.STEP_METRICS], numbers)

    def test_lists_every_number_of_a_param_group(self) -> None:
        fields = run_pb2.ParamGroup.DESCRIPTOR.fields
        self.assertCountEqual(
            [m.field for m in metrics.PARAM_GROUP_METRICS],
            [f.name for f in fields if f.name != "name"],
        )

    def test_precision_fits_the_field(self) -> None:
        descriptors = (
            run_pb2.StepMetrics.DESCRIPTOR,
            run_pb2.ParamGroup.DESCRIPTOR,
        )
        fields = {f.name: f for d in descriptors for f in d.fields}
        for metric in metrics.METRICS:
            field = fields[metric.field]
            is_integer = field.type == field.TYPE_INT64
            with self.subTest(metric.name):
                self.assertEqual(
                    metric.precision
                    in (metrics.Precision.INTEGER, metrics.Precision.DIGEST),
                    is_integer,
                )

    def test_names_are_unique(self) -> None:
        self.assertLen(metrics.BY_NAME, len(metrics.METRICS))

    def test_what_follows_from_the_case_is_always_exact(self) -> None:
        exact = [m.name for m in metrics.METRICS if not m.relaxable]
        self.assertContainsSubset(
            ["learning rate", "weight decay", "elements", "consumed samples"],
            exact,
        )

    def test_says_which_ranks_record_it(self) -> None:
        self.assertEqual(
            {
                name: [
                    rank
                    for rank in range(4)
                    if metrics.BY_NAME[name].is_recorded_by(rank, last_rank=3)
                ]
                for name in ("grad norm", "data digest", "lm loss")
            },
            {"grad norm": [0, 1, 2, 3], "data digest": [0, 3], "lm loss": [3]},
        )


if __name__ == "__main__":
    absltest.main()
