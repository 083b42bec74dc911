"""Tests for the comparison of first steps."""

import math

from absl.testing import absltest

from regress.golden import series
from regress.run import run_pb2
from tools.emulation import first_steps


def _attempt(*grad_norms: float) -> run_pb2.Attempt:
    return run_pb2.Attempt(
        ranks=[
            run_pb2.RankRecord(
                rank=0,
                events=[
                    run_pb2.Event(
                        step=run_pb2.StepMetrics(
                            iteration=1 + index, grad_norm=grad_norm
                        )
                    )
                    for index, grad_norm in enumerate(grad_norms)
                ],
            )
        ]
    )


_GOLDEN = series.from_attempt(_attempt(1.0, 2.0, 3.0))


class FirstStepsTest(absltest.TestCase):
    def test_equal_steps_agree(self) -> None:
        found = first_steps.compare(_attempt(1.0, 2.0), _GOLDEN, 2)
        self.assertEqual(found, first_steps.Comparison(2, []))

    def test_one_bit_differs(self) -> None:
        found = first_steps.compare(
            _attempt(1.0, math.nextafter(2.0, 3.0)), _GOLDEN, 2
        )
        self.assertLen(found.differing, 1)
        self.assertIn("iteration 2: expected [2.0]", found.differing[0])

    def test_a_missing_step_differs(self) -> None:
        found = first_steps.compare(_attempt(1.0), _GOLDEN, 2)
        self.assertLen(found.differing, 1)

    def test_a_missing_metric_differs(self) -> None:
        found = first_steps.compare(run_pb2.Attempt(), _GOLDEN, 2)
        self.assertLen(found.differing, 2)


if __name__ == "__main__":
    absltest.main()
