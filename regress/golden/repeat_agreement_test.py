"""Tests for checking that two runs agree."""

import math
from collections.abc import Callable

from absl.testing import absltest, parameterized

from regress.golden import errors, recording, repeat_agreement, run_test_helper
from regress.run import run_pb2

_WHY = (
    "; the case is not deterministic here, and a golden needs runs that agree "
    "to the bit"
)


def _change_loss(run: run_pb2.RunRecord) -> None:
    step = run_test_helper.step_of(run, 1, 3)
    step.lm_loss = math.nextafter(step.lm_loss, math.inf)


def _change_norm_too(run: run_pb2.RunRecord) -> None:
    _change_loss(run)
    run_test_helper.step_of(run, 0, 3).grad_norm = 0
    run_test_helper.step_of(run, 0, 4).grad_norm = 0


def _change_rate_of_rank_1(run: run_pb2.RunRecord) -> None:
    run_test_helper.step_of(run, 1, 5).param_groups[0].learning_rate = -0.0


def _change_state(run: run_pb2.RunRecord) -> None:
    run_test_helper.state_of(run, 1, 4).entries[1].digest = "00"
    run_test_helper.state_of(run, 1, 4).entries[0].description = "unlike"


def _lose_entry(run: run_pb2.RunRecord) -> None:
    run_test_helper.state_of(run, 0, 2).entries.pop()


def _change_state_and_loss(run: run_pb2.RunRecord) -> None:
    _change_loss(run)
    _change_state(run)


def _change_state_before_loss(run: run_pb2.RunRecord) -> None:
    _change_loss(run)
    _lose_entry(run)


def _change_state_and_loss_of_one_iteration(run: run_pb2.RunRecord) -> None:
    _change_state(run)
    run_test_helper.step_of(run, 1, 4).lm_loss = 6.5


class AgreementTest(parameterized.TestCase):
    def check(self, change: Callable[[run_pb2.RunRecord], object]) -> None:
        second = run_test_helper.uninterrupted(2)
        change(second)
        repeat_agreement.check(
            recording.of_run(run_test_helper.uninterrupted(), "run 1", "none"),
            recording.of_run(second, "run 2", "none"),
        )

    def test_runs_with_the_same_bits_agree(self) -> None:
        self.check(lambda run: None)

    @parameterized.parameters(
        (
            _change_loss,
            "lm loss on rank 1 at iteration 3, 6.7 (0x1.acccccccccccdp+2) and "
            "6.700000000000001 (0x1.acccccccccccep+2)",
        ),
        (
            _change_norm_too,
            "lm loss on rank 1 at iteration 3, 6.7 (0x1.acccccccccccdp+2) and "
            "6.700000000000001 (0x1.acccccccccccep+2)",
        ),
        (
            _change_rate_of_rank_1,
            'learning rate of group "default" on rank 1 at iteration 5, '
            "0.0005 (0x1.0624dd2f1a9fcp-11) and -0.0 (-0x0.0p+0)",
        ),
        (
            _change_state,
            "scheduler/num_steps of the state saved on rank 1 at iteration 4, "
            "DIGEST and 00",
        ),
        (
            _lose_entry,
            "scheduler/num_steps of the state saved on rank 0 at iteration 2, "
            "DIGEST and absent",
        ),
        (
            _change_state_and_loss,
            "lm loss on rank 1 at iteration 3, 6.7 (0x1.acccccccccccdp+2) and "
            "6.700000000000001 (0x1.acccccccccccep+2)",
        ),
        (
            _change_state_before_loss,
            "scheduler/num_steps of the state saved on rank 0 at iteration 2, "
            "DIGEST and absent",
        ),
        (
            _change_state_and_loss_of_one_iteration,
            "lm loss on rank 1 at iteration 4, 6.6 (0x1.a666666666666p+2) and "
            "6.5 (0x1.a000000000000p+2)",
        ),
    )
    def test_names_the_first_difference(
        self, change: Callable[[run_pb2.RunRecord], object], what: str
    ) -> None:
        run = run_test_helper.uninterrupted()
        rank, iteration = (0, 2) if "rank 0" in what else (1, 4)
        entry = run_test_helper.state_of(run, rank, iteration).entries[1]
        what = what.replace("DIGEST", entry.digest)
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            f"run 1 and run 2 differ first in {what}{_WHY}",
        ):
            self.check(change)

    def test_equal_numbers_of_other_bits_differ(self) -> None:
        first, second = map(run_test_helper.uninterrupted, (1, 2))
        run_test_helper.step_of(first, 0, 1).loss_scale = 0.0
        run_test_helper.step_of(second, 0, 1).loss_scale = -0.0
        with self.assertRaisesRegex(
            errors.GoldenError, r"loss scale on rank 0 at iteration 1, 0\.0 "
        ):
            repeat_agreement.check(
                recording.of_run(first, "run 1", "none"),
                recording.of_run(second, "run 2", "none"),
            )

    def test_names_what_one_run_alone_recorded(self) -> None:
        def rename_group(run: run_pb2.RunRecord) -> None:
            for event in run_test_helper.rank_of(run, 1).events:
                for group in event.step.param_groups:
                    group.name = "decoupled"

        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            'run 1 recorded learning rate of group "default" on rank 1 and '
            "run 2 did not",
        ):
            self.check(rename_group)


if __name__ == "__main__":
    absltest.main()
