"""Tests for when to interrupt, and which ranks."""

import signal
from typing import Any

from absl.testing import absltest

from regress.case import case_pb2
from regress.run import run_pb2
from regress.supervisor import errors, interruption


def _wanted(**changes: Any) -> case_pb2.Interruption:
    fields = {
        "iteration": 30,
        "phase": case_pb2.FORWARD,
        "signal": case_pb2.SIGKILL,
        **changes,
    }
    return case_pb2.Interruption(**fields)


class InterruptionTest(absltest.TestCase):
    def test_hits_all_ranks_if_none_is_named(self) -> None:
        self.assertEqual(
            interruption.Interruption(_wanted(), 3).ranks, [0, 1, 2]
        )

    def test_hits_each_named_rank_once(self) -> None:
        self.assertEqual(
            interruption.Interruption(_wanted(ranks=[2, 0, 2]), 3).ranks,
            [0, 2],
        )

    def test_knows_its_signal(self) -> None:
        for name in ("SIGKILL", "SIGTERM", "SIGSTOP"):
            self.assertEqual(
                interruption.Interruption(_wanted(signal=name), 1).signal,
                signal.Signals[name],
            )

    def test_matches_only_its_place(self) -> None:
        place: dict[str, Any] = {
            "iteration": 30,
            "phase": case_pb2.FORWARD,
            "waiting": True,
        }
        checked = interruption.Interruption(_wanted(), 1)
        self.assertTrue(checked.matches(run_pb2.Progress(**place)))
        for name, value in (
            ("iteration", 29),
            ("phase", case_pb2.BACKWARD),
            ("waiting", False),
        ):
            elsewhere = run_pb2.Progress(**{**place, name: value})
            self.assertFalse(checked.matches(elsewhere))

    def test_refuses_ranks_outside_the_job(self) -> None:
        for rank in (-1, 4):
            with self.assertRaisesRegex(
                errors.SupervisorError,
                f"must hit ranks 0 to 3, but names rank {rank}.",
            ):
                interruption.Interruption(_wanted(ranks=[1, rank]), 4)

    def test_refuses_to_send_no_signal(self) -> None:
        with self.assertRaisesRegex(
            errors.SupervisorError,
            "must name a signal, but names SIGNAL_UNSPECIFIED",
        ):
            interruption.Interruption(case_pb2.Interruption(iteration=1), 4)


if __name__ == "__main__":
    absltest.main()
