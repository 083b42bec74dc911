"""Tests for the timeline of processes."""

from absl.testing import absltest

from regress.report.html import timeline
from regress.run import run_pb2


def _span(name: str, seconds: float) -> run_pb2.Event:
    return run_pb2.Event(span=run_pb2.Span(name=name, seconds=seconds))


def _step(seconds: float) -> run_pb2.Event:
    return run_pb2.Event(step=run_pb2.StepMetrics(seconds=seconds))


class OfRunTest(absltest.TestCase):
    def test_one_thing_follows_the_other(self) -> None:
        run = run_pb2.RunRecord(
            attempts=[
                run_pb2.Attempt(
                    index=0,
                    started_at=100,
                    ranks=[
                        run_pb2.RankRecord(
                            rank=2,
                            events=[
                                _span("import", 1),
                                _span("init", 2),
                                _step(0.5),
                                _step(0.25),
                                _span("save", 1),
                                _step(0.5),
                            ],
                            exit=run_pb2.ExitStatus(signal=9),
                        )
                    ],
                ),
                run_pb2.Attempt(
                    index=1,
                    started_at=101,
                    ranks=[run_pb2.RankRecord(rank=2, events=[_step(1)])],
                ),
            ]
        )
        first, second = timeline.of_run(run)
        self.assertEqual(first.name, "attempt 0, rank 2")
        self.assertEqual(
            first.bars,
            (
                timeline.Bar("import", 0, 3),
                timeline.Bar("step", 3, 0.75),
                timeline.Bar("save", 3.75, 1),
                timeline.Bar("step", 4.75, 0.5),
            ),
        )
        self.assertEqual((first.end, first.killed), (5.25, True))
        self.assertEqual(second.bars, (timeline.Bar("step", 1, 1),))
        self.assertFalse(second.killed)

    def test_a_repeat_is_a_process_too(self) -> None:
        run = run_pb2.RunRecord(
            repeat=run_pb2.Attempt(ranks=[run_pb2.RankRecord(rank=1)])
        )
        (process,) = timeline.of_run(run)
        self.assertEqual(process.name, "repeat, rank 1")
        self.assertEmpty(process.bars)

    def test_nothing_is_drawn_of_nothing(self) -> None:
        self.assertIsNone(timeline.draw(timeline.of_run(run_pb2.RunRecord())))


if __name__ == "__main__":
    absltest.main()
