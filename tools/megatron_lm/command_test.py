"""Tests for Megatron-LM's program as a command, with no checkout of it."""

import pathlib
import re

from absl.testing import absltest

from regress.case import case_pb2, command_case
from tools.megatron_lm import command, flow

# As Megatron-LM's training_log prints it, with made-up numbers.
_LINE = (
    " [2026-11-27 04:05:06.789012] iteration       75/     100 |"
    " consumed samples:         2400 |"
    " elapsed time per iteration (ms): 101.5 |"
    " learning rate: 3.468750E-06 |"
    " global batch size:    32 |"
    " lm loss: 9.629701E+00 | loss scale: 1.0 | grad norm: 1.234 |"
    " num zeros: 5678 | params norm: 90.123 |"
    " number of skipped iterations:   0 | number of nan iterations:   0 |"
)


class CommandTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        (self.folder / "pretrain_gpt.py").touch()
        case = case_pb2.Case(
            parallelism=case_pb2.Parallelism(pipeline=4),
            training=case_pb2.Training(
                precision=case_pb2.Training.BF16,
                iterations=100,
                save_interval=50,
            ),
            interruption=[
                case_pb2.Interruption(
                    iteration=75,
                    phase=case_pb2.BACKWARD,
                    signal=case_pb2.SIGKILL,
                )
            ],
        )
        self.command = command.of(
            flow.Flow(
                checkout=self.folder,
                case=case,
                corpus=pathlib.Path("/corpus"),
                folder=pathlib.Path(command_case.JOB),
                gpus=1,
                environment={"CUDA_MPS_PIPE_DIRECTORY": "/pipes"},
            )
        )

    def test_is_a_case_that_can_be_run(self) -> None:
        path = self.folder / f"{self.command.name}.textproto"
        path.write_text(str(self.command))
        loaded = command_case.load(path)
        self.assertEqual(loaded.ranks, 4)
        self.assertEqual(loaded.interruption[0].iteration, 75)
        self.assertIn("--save={job}/checkpoints", loaded.command)
        self.assertEqual(loaded.checkpoints, "checkpoints")
        self.assertEqual(
            loaded.environment["CUDA_MPS_PIPE_DIRECTORY"], "/pipes"
        )

    def test_each_number_of_a_log_line_is_a_metric_but_times(self) -> None:
        found = re.search(self.command.log[0], _LINE)
        assert found is not None
        self.assertEqual(
            found.groupdict(),
            {
                "iteration": "75",
                "consumed_samples": "2400",
                "learning_rate": "3.468750E-06",
                "lm_loss": "9.629701E+00",
                "loss_scale": "1.0",
                "grad_norm": "1.234",
                "zeros_in_grad": "5678",
                "params_norm": "90.123",
            },
        )

    def test_a_stage_without_rates_prints_none(self) -> None:
        line = _LINE.replace(" learning rate: 3.468750E-06 |", "")
        found = re.search(self.command.log[0], line)
        assert found is not None
        self.assertIsNone(found["learning_rate"])


if __name__ == "__main__":
    absltest.main()
