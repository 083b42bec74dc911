"""Tests for what a rank says of a step."""

from absl.testing import absltest, parameterized

from regress.run import run_pb2
from regress.trainer import rank


class ProgressTextTest(parameterized.TestCase):
    @parameterized.parameters(
        (0.01, "lm loss 2.5000, default lr 1.000e-03, 0.25 s"),
        # Without weight decay, the rates are those of all groups.
        (
            0.0,
            "lm loss 2.5000, default lr 1.000e-03, no decay lr 1.000e-03, "
            "0.25 s",
        ),
    )
    def test_has_the_rates(self, weight_decay: float, text: str) -> None:
        step = run_pb2.StepMetrics(lm_loss=2.5, seconds=0.25)
        for name, decay, elements in (
            ("default", weight_decay, 4),
            ("no decay", 0.0, 2),
            ("empty", weight_decay, 0),
        ):
            step.param_groups.add(
                name=name,
                learning_rate=1e-3,
                weight_decay=decay,
                elements=elements,
            )
        self.assertEqual(rank.progress_text(step), text)

    def test_is_empty_without_a_loss(self) -> None:
        self.assertEqual(rank.progress_text(run_pb2.StepMetrics()), "")


if __name__ == "__main__":
    absltest.main()
