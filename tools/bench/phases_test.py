"""Tests for the phases' arithmetic."""

from absl.testing import absltest

from regress.run import run_pb2
from tools.bench import phases


def _rank(rank: int, load: float, steps: list[float]) -> run_pb2.RankRecord:
    span = run_pb2.Event(span=run_pb2.Span(name="load", seconds=load))
    return run_pb2.RankRecord(
        rank=rank,
        events=[
            span,
            *[
                run_pb2.Event(step=run_pb2.StepMetrics(seconds=seconds))
                for seconds in steps
            ],
        ],
    )


class PhasesTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._record = run_pb2.RunRecord(
            attempts=[
                run_pb2.Attempt(
                    seconds=10.0,
                    ranks=[_rank(0, 1.0, [2.0, 2.0]), _rank(1, 3.0, [2.0])],
                ),
                run_pb2.Attempt(seconds=5.0, ranks=[_rank(0, 1.0, [4.0])]),
            ]
        )

    def test_phases_are_means_over_ranks_and_sums_over_attempts(self) -> None:
        # Attempt 0 loads for 2 s and trains for 3 s of its 10.
        self.assertEqual(
            phases.seconds_by_phase(self._record),
            {"load": 3.0, "train": 7.0, "other": 5.0},
        )

    def test_what_was_done_during_the_attempt_before_takes_no_time(
        self,
    ) -> None:
        for attempt in self._record.attempts:
            spans = [
                run_pb2.Event(span=run_pb2.Span(name=name, seconds=2.0))
                for name in ("build", "wait")
            ]
            events = [*spans, *attempt.ranks[0].events]
            del attempt.ranks[0].events[:]
            attempt.ranks[0].events.extend(events)
        self._record.attempts[1].index = 1
        # Rank 0 of attempt 0 is one of two.
        found = phases.seconds_by_phase(self._record)
        self.assertEqual((found["build"], found["wait"]), (1.0, 1.0))

    def test_the_read_back_is_counted_by_itself(self) -> None:
        self._record.read_back.seconds = 0.5
        for rank in range(4):
            end = self._record.read_back.ranks.add(rank=rank).exit
            end.user_seconds = 0.75
            end.system_seconds = 0.25
        self.assertEqual(phases.read_back_seconds(self._record), (0.5, 4.0))
        # What an attempt's ranks took does not count.
        exit_of_0 = self._record.attempts[0].ranks[0].exit
        exit_of_0.user_seconds = 9.0
        self.assertEqual(phases.read_back_seconds(self._record), (0.5, 4.0))

    def test_a_share_is_of_the_whole(self) -> None:
        found = phases.seconds_by_phase(self._record)
        self.assertAlmostEqual(phases.share(found, "load"), 0.2)
        self.assertEqual(phases.share(found, "digest"), 0.0)

    def test_steps_are_the_last_ranks(self) -> None:
        self.assertEqual(phases.step_seconds(self._record), [2.0, 4.0])


if __name__ == "__main__":
    absltest.main()
