"""Tests for the console's progress lines."""

import io

from absl.testing import absltest

from regress.case import case_pb2
from regress.run import run_pb2
from regress.runner import progress as progress_lib

_CASE = case_pb2.Case(
    parallelism=case_pb2.Parallelism(pipeline=2),
    training=case_pb2.Training(iterations=12),
    interruption=[case_pb2.Interruption(signal=case_pb2.SIGKILL)],
)


class ProgressPrinterTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._out = io.StringIO()
        self._printer = progress_lib.ProgressPrinter(
            _CASE, self._out, clock=lambda: 3.0
        )

    def _hear(
        self, attempt: int, rank: int, iteration: int, text: str = ""
    ) -> None:
        self._printer(
            attempt, rank, run_pb2.Progress(iteration=iteration, text=text)
        )

    def test_ready_is_said_once_all_ranks_are(self) -> None:
        self._hear(0, 1, 0, "ready")
        self.assertEqual(self._out.getvalue(), "")
        self._hear(0, 0, 0, "ready")
        self.assertEqual(
            self._out.getvalue(),
            "[   0.0 s] attempt 0: 2 ranks ready, from the beginning\n",
        )

    def test_ready_says_where_it_resumed(self) -> None:
        self._hear(1, 0, 8, "ready")
        self._hear(1, 1, 8, "ready")
        self.assertIn("resumed from iteration 8", self._out.getvalue())

    def test_some_iterations_get_a_line(self) -> None:
        self._hear(0, 1, 0, "ready")
        for iteration in range(1, 13):
            self._hear(0, 1, iteration, "lm loss 1.0")
        lines = self._out.getvalue().splitlines()
        self.assertEqual(
            [line.split("iteration ")[1].split(" ")[0] for line in lines],
            ["1", "5", "10", "12"],
        )

    def test_a_rank_without_a_loss_gets_no_line(self) -> None:
        self._hear(0, 0, 0, "ready")
        self._hear(0, 0, 5)
        self.assertEqual(self._out.getvalue(), "")

    def test_the_interruption_is_said(self) -> None:
        self._printer(
            0,
            1,
            run_pb2.Progress(
                iteration=9, phase=case_pb2.BACKWARD, waiting=True
            ),
        )
        self.assertEqual(
            self._out.getvalue(),
            "[   0.0 s] attempt 0: rank 1 waits in iteration 9, phase BACKWARD;"
            " sending SIGKILL to all ranks\n",
        )

    def test_of_a_repeat_only_the_iterations_are_said(self) -> None:
        for rank in (0, 1):
            self._hear(0, rank, 0, "ready")
        self._out.truncate(0)
        self._out.seek(0)
        for progress in (
            run_pb2.Progress(text="ready"),
            run_pb2.Progress(iteration=5, text="lm loss 1.0"),
            run_pb2.Progress(iteration=6, waiting=True),
        ):
            self._printer.of_another("the repeat")(0, 1, progress)
        self.assertEqual(
            self._out.getvalue(),
            "[   0.0 s] the repeat: iteration 5 of 12: lm loss 1.0\n",
        )

    def test_a_finished_job_that_is_launched_again_is_said(self) -> None:
        for rank in (0, 1):
            self._hear(3, rank, 12, "finished before")
        self.assertEqual(
            self._out.getvalue(),
            "[   0.0 s] relaunch: 2 ranks had nothing left to train after "
            "iteration 12\n",
        )

    def test_named_ranks_are_said(self) -> None:
        case = case_pb2.Case()
        case.CopyFrom(_CASE)
        case.interruption[0].ranks.extend([0, 1])
        printer = progress_lib.ProgressPrinter(
            case, self._out, clock=lambda: 0.0
        )
        printer(0, 1, run_pb2.Progress(iteration=9, waiting=True))
        self.assertIn("SIGKILL to rank 0, 1", self._out.getvalue())


if __name__ == "__main__":
    absltest.main()
