"""Tests for the timeline of processes."""

from absl.testing import absltest, parameterized

from regress.report.html import timeline
from regress.run import run_pb2

_Exit = run_pb2.ExitStatus


def _span(name: str, seconds: float) -> run_pb2.Event:
    return run_pb2.Event(span=run_pb2.Span(name=name, seconds=seconds))


def _step(seconds: float) -> run_pb2.Event:
    return run_pb2.Event(step=run_pb2.StepMetrics(seconds=seconds))


def _attempt(
    *events: run_pb2.Event, status: _Exit | None = None, **fields: object
) -> run_pb2.Attempt:
    return run_pb2.Attempt(
        ranks=[run_pb2.RankRecord(rank=2, events=events, exit=status)],
        **fields,  # type: ignore[arg-type]
    )


class OfRunTest(parameterized.TestCase):
    def test_one_thing_follows_the_other(self) -> None:
        events = [
            *(_span("import", 1), _span("connect", 2), _step(0.5), _step(0.25)),
            *(_span("save", 1), _step(0.5)),
        ]
        run = run_pb2.RunRecord(
            attempts=[
                _attempt(
                    *events,
                    status=_Exit(signal=9, cause=_Exit.INTERRUPTED, seconds=6),
                    interruption=run_pb2.InterruptionEvent(seconds=5.5),
                    started_at=100,
                    began_at=100,
                ),
                _attempt(_step(1), index=1, started_at=101),
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
        # When the signal was sent, not when the process was reaped.
        self.assertEqual((first.end, first.how), (5.5, timeline.End.KILLED))
        self.assertEqual(second.bars, (timeline.Bar("step", 1, 1),))
        self.assertEqual(second.how, timeline.End.EXITED)

    def test_what_is_made_ready_early_ends_after_it_began(self) -> None:
        run = run_pb2.RunRecord(
            attempts=[
                _attempt(
                    *(_span("import", 4), _span("wait", 6), _step(2)),
                    status=_Exit(seconds=2.5, cause=_Exit.BY_ITSELF),
                    started_at=100,
                    began_at=110,
                )
            ]
        )
        (process,) = timeline.of_run(run)
        self.assertEqual(process.bars[-1], timeline.Bar("step", 10, 2))
        self.assertEqual(process.end, 12.5)

    @parameterized.parameters(
        (_Exit(cause=_Exit.INTERRUPTED, signal=9), timeline.End.KILLED),
        # A graceful stop: it saved, and exited.
        (_Exit(cause=_Exit.INTERRUPTED), timeline.End.EXITED),
        (_Exit(cause=_Exit.PEER_GONE, signal=9), timeline.End.REAPED),
        (_Exit(cause=_Exit.HANG, signal=9), timeline.End.REAPED),
        (_Exit(cause=_Exit.BY_ITSELF, code=1), timeline.End.FAILED),
        (_Exit(cause=_Exit.BY_ITSELF, signal=11), timeline.End.FAILED),
        (_Exit(cause=_Exit.BY_ITSELF), timeline.End.EXITED),
    )
    def test_tells_ends_apart(self, status: _Exit, how: timeline.End) -> None:
        (process,) = timeline.of_run(
            run_pb2.RunRecord(attempts=[_attempt(status=status)])
        )
        self.assertEqual(process.how, how)

    def test_processes_are_in_the_order_in_which_they_began(self) -> None:
        run = run_pb2.RunRecord(
            attempts=[_attempt(started_at=1), _attempt(index=1, started_at=2)],
            read_back=_attempt(started_at=3),
            repeat=_attempt(started_at=4),
        )
        self.assertEqual(
            [one.name for one in timeline.of_run(run)],
            [
                f"{name}, rank 2"
                for name in ("attempt 0", "attempt 1", "read-back", "repeat")
            ],
        )

    def test_a_trainer_without_spans_is_said(self) -> None:
        silent, speaking = (
            timeline.of_run(run_pb2.RunRecord(attempts=[_attempt(*events)]))
            for events in ((), (_step(1),))
        )
        self.assertIn("reports no spans", timeline.note(silent))
        self.assertEqual(timeline.note(speaking), "")

    def test_has_keys_only_for_what_is_drawn(self) -> None:
        run = run_pb2.RunRecord(
            attempts=[
                _attempt(
                    *(_step(1), _span("save", 1)),
                    status=_Exit(seconds=9, signal=9, cause=_Exit.HANG),
                )
            ]
        )
        drawn = timeline.draw(timeline.of_run(run))
        assert drawn is not None
        self.assertEqual(
            [key.text for key in drawn.keys],
            ["train", "save", "nothing reported", "ended by the supervisor"],
        )

    def test_nothing_is_drawn_of_nothing(self) -> None:
        self.assertIsNone(timeline.draw(timeline.of_run(run_pb2.RunRecord())))


if __name__ == "__main__":
    absltest.main()
