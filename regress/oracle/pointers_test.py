"""Tests of what the first metric that differs points to."""

from absl.testing import absltest, parameterized

from regress.golden import metrics
from regress.oracle import golden_oracle, pointers, record_test_helper
from regress.run import run_pb2

_Step = run_pb2.StepMetrics

# How to make each metric wrong in a step; in the order of the data flow.
_BREAK = {
    "learning rate": lambda step: setattr(
        step.param_groups[0], "learning_rate", 9.0
    ),
    "weight decay": lambda step: setattr(
        step.param_groups[0], "weight_decay", 9.0
    ),
    "elements": lambda step: setattr(step.param_groups[0], "elements", 9),
    "consumed samples": lambda step: setattr(step, "consumed_samples", 9),
    "data digest": lambda step: setattr(step, "data_digest", 9),
    "random state digest": lambda step: setattr(step, "random_state_digest", 9),
    "loss scale": lambda step: setattr(step, "loss_scale", 9.0),
    "lm loss": lambda step: setattr(step, "lm_loss", 9.0),
    "grad norm": lambda step: setattr(step, "grad_norm", 9.0),
    "zeros in grad": lambda step: setattr(step, "zeros_in_grad", 9),
    "params norm": lambda step: setattr(step, "params_norm", 9.0),
}
_LAST_RANK = record_test_helper.RANKS - 1


class PointersTest(parameterized.TestCase):
    def test_every_metric_points_to_something(self):
        self.assertCountEqual(
            pointers.POINTERS, [*metrics.ORDER, golden_oracle.SAVED_STATE]
        )
        self.assertEqual(list(_BREAK), list(metrics.ORDER))

    @parameterized.parameters(*_BREAK)
    def test_the_first_metric_of_a_step_names_the_cause(self, name):
        # It differs, and so does all that follows from it.
        following = list(_BREAK)[list(_BREAK).index(name) :]
        for attempts in ((1,), (0, 1)):
            records = record_test_helper.passing()
            for attempt in attempts:
                for metric in following:
                    _BREAK[metric](records.step(attempt, _LAST_RANK, 4))
            verdict = records.judge()
            self.assertStartsWith(verdict.findings[0].subject, name)
            self.assertIn(
                f"that {name} is the first to differ points to "
                f"{pointers.POINTERS[name]};",
                verdict.summary,
            )
            self.assertEqual(verdict.first_bad_iteration, 4)

    def test_an_earlier_iteration_counts_more_than_the_data_flow(self):
        records = record_test_helper.passing()
        _BREAK["params norm"](records.step(1, 0, 5))
        _BREAK["learning rate"](records.step(1, 0, 6))
        verdict = records.judge()
        self.assertEqual(verdict.findings[0].subject, "params norm")
        self.assertIn("that params norm is the first", verdict.summary)
        self.assertEqual(verdict.first_bad_iteration, 5)

    def test_a_saved_state_points_beyond_the_metrics(self):
        records = record_test_helper.passing()
        for event in records.rank(1, 2).events:
            if event.state.moment == run_pb2.StateDigest.SAVED:
                event.state.pieces[0].digest = "bad"
        verdict = records.judge()
        self.assertIn(
            pointers.POINTERS[golden_oracle.SAVED_STATE], verdict.summary
        )
        self.assertEqual(verdict.first_bad_iteration, 6)


if __name__ == "__main__":
    absltest.main()
