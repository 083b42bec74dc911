"""Tests for log_iteration.py."""

from absl.testing import absltest, parameterized

from regress.case import limits
from regress.supervisor import log_iteration


class LogIterationTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"iteration": "17"}, 0, 17),
        ({"iteration": " 1,017"}, 0, 1017),
        ({"iteration": "x"}, 0, None),
        ({"iteration": str(limits.ITERATIONS + 1)}, 0, None),
        ({}, 0, None),
        # Four significant digits, as transformers prints them.
        ({"epoch": "0.04167"}, 24, 1),
        ({"epoch": "1.958"}, 24, 47),
        ({"epoch": "2"}, 24, 48),
        # Two digits cannot tell the steps of a long epoch apart.
        ({"epoch": "0.13"}, 1250, None),
        ({"epoch": "1", "iteration": "3"}, 24, 27),
        ({"epoch": "1", "iteration": "x"}, 24, None),
        ({"epoch": "x", "iteration": "3"}, 24, None),
        ({"epoch": "-1"}, 24, None),
        ({"epoch": "inf"}, 24, None),
        ({"epoch": "nan"}, 24, None),
    )
    def test_finds_the_iteration(
        self, groups: dict[str, str], per_epoch: int, expected: int | None
    ) -> None:
        self.assertEqual(log_iteration.take(groups, per_epoch), expected)

    def test_leaves_the_metrics(self) -> None:
        groups = {"epoch": "1", "iteration": "3", "loss": "2.5"}
        log_iteration.take(groups, 24)
        self.assertEqual(groups, {"loss": "2.5"})

    def test_an_epoch_is_a_metric_if_it_does_not_count(self) -> None:
        groups = {"epoch": "1", "iteration": "3"}
        self.assertEqual(log_iteration.take(groups, 0), 3)
        self.assertEqual(groups, {"epoch": "1"})


if __name__ == "__main__":
    absltest.main()
