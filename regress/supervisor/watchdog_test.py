"""Tests for the watchdog's arithmetic."""

from absl.testing import absltest

from regress.run import run_pb2
from regress.supervisor import watchdog


class WatchdogTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.watchdog = watchdog.Watchdog(
            watchdog.Bounds(start_seconds=60, step_seconds=5.5),
            ranks=[0, 1],
            now=100,
        )

    def test_gives_every_rank_its_start(self) -> None:
        self.assertEqual(self.watchdog.deadline, 160)
        self.watchdog.heard(1, 110)
        self.watchdog.heard(1, 150)
        self.assertEqual(self.watchdog.deadline, 160)
        self.assertEqual(
            self.watchdog.broken_bound([run_pb2.LastSeen(rank=1)]).silence,
            run_pb2.AttemptEnd.Silence(
                seconds=60,
                unheard_ranks=[0],
                ranks=[run_pb2.LastSeen(rank=1)],
            ),
        )

    def test_then_gives_the_job_its_step(self) -> None:
        self.watchdog.heard(0, 101)
        self.watchdog.heard(1, 102)
        self.assertEqual(self.watchdog.deadline, 107.5)
        self.watchdog.heard(0, 104)
        self.assertEqual(self.watchdog.deadline, 109.5)
        self.assertEqual(
            self.watchdog.broken_bound([]).silence,
            run_pb2.AttemptEnd.Silence(seconds=5.5),
        )

    def test_expects_nothing_of_a_rank_that_has_ended(self) -> None:
        self.watchdog.heard(0, 101)
        self.watchdog.ended(1)
        self.assertEqual(self.watchdog.deadline, 106.5)

    def test_gives_an_interrupted_job_a_step(self) -> None:
        self.watchdog.heard(0, 101)
        self.watchdog.interrupted(120)
        self.assertEqual(self.watchdog.deadline, 125.5)

    def test_ends_a_job_that_goes_on_and_on(self) -> None:
        bounded = watchdog.Watchdog(
            watchdog.Bounds(60, 5.5, attempt_seconds=20), ranks=[0], now=100
        )
        self.assertEqual(bounded.deadline, 120)
        bounded.heard(0, 110)
        self.assertEqual(bounded.deadline, 115.5)
        self.assertTrue(bounded.broken_bound([]).HasField("silence"))
        bounded.heard(0, 119)
        self.assertEqual(bounded.deadline, 120)
        self.assertEqual(
            bounded.broken_bound([run_pb2.LastSeen(rank=0)]).too_long,
            run_pb2.AttemptEnd.TooLong(
                seconds=20, ranks=[run_pb2.LastSeen(rank=0)]
            ),
        )


if __name__ == "__main__":
    absltest.main()
