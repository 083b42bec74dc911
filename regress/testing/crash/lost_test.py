"""Tests that every kind of loss is detected."""

from absl.testing import absltest

from regress.golden import golden_pb2, state
from regress.run import exit_codes, run_pb2
from regress.testing.crash import kill_storm, trajectory

_Exit = run_pb2.ExitStatus
_Kind = run_pb2.CheckpointEvent


def _digest(iteration: int, digest: str = "d") -> run_pb2.StateDigest:
    return run_pb2.StateDigest(
        moment=run_pb2.StateDigest.SAVED,
        iteration=iteration,
        entries=[run_pb2.StateEntry(name="a", digest=digest)],
    )


def _attempt(
    index: int,
    began: int | None,
    iterations: range,
    *,
    code: int = 0,
    signal: int = 0,
) -> run_pb2.Attempt:
    """Returns an attempt of one rank; the case saves at 2 of 4 iterations."""
    events = [
        run_pb2.Event(
            checkpoint=run_pb2.CheckpointEvent(
                kind=_Kind.LOADED if began else _Kind.NONE_FOUND,
                iteration=began or 0,
            )
        )
    ]
    for iteration in iterations:
        step = run_pb2.StepMetrics(iteration=iteration, lm_loss=iteration / 4)
        events.append(run_pb2.Event(step=step))
        if iteration == 2:
            events.append(run_pb2.Event(state=_digest(2)))
    if iterations.stop == 5:
        events.append(run_pb2.Event(finished=run_pb2.Finished(iteration=4)))
    return run_pb2.Attempt(
        index=index,
        ranks=[
            run_pb2.RankRecord(
                rank=0,
                events=events,
                exit=_Exit(cause=_Exit.BY_ITSELF, code=code, signal=signal),
            )
        ],
    )


def _golden() -> golden_pb2.Golden:
    return golden_pb2.Golden(
        iterations=4,
        series=[
            golden_pb2.Series(
                metric="lm loss", ranks=[0], values=[0.25, 0.5, 0.75, 1]
            )
        ],
        checkpoints=[
            golden_pb2.CheckpointDigest(
                iteration=2, digests=[state.fold(_digest(2))]
            )
        ],
    )


class TrajectoryTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._killed = _attempt(0, None, range(1, 4), signal=9)
        self._resumed = _attempt(1, 2, range(3, 5))

    def _problems(self) -> list[str]:
        return trajectory.problems([self._killed, self._resumed], _golden())

    def test_a_job_that_was_killed_and_resumed_is_the_goldens(self) -> None:
        self.assertEmpty(self._problems())

    def test_a_value_of_any_attempt_is_compared_by_its_bits(self) -> None:
        self._killed.ranks[0].events[-1].step.lm_loss = 0.7500000000000001
        self.assertEqual(
            self._problems(),
            [
                "lm loss on rank 0 of attempt 0 at iteration 3 is not the "
                "golden's."
            ],
        )

    def test_a_step_that_nobody_made_is_missed(self) -> None:
        del self._resumed.ranks[0].events[2]
        self.assertEqual(
            self._problems(),
            ["lm loss on rank 0 was not recorded at iteration 4."],
        )

    def test_another_state_is_found(self) -> None:
        self._resumed.ranks[0].events.add(state=_digest(2, "other"))
        self.assertEqual(
            self._problems(),
            [
                "The state of rank 0 of attempt 1 at iteration 2 is not the "
                "golden's."
            ],
        )

    def test_a_save_that_nobody_made_is_missed(self) -> None:
        del self._killed.ranks[0].events[3]
        self.assertEqual(self._problems(), ["Rank 0 never saved iteration 2."])


class UnexpectedTest(absltest.TestCase):
    def _assert_lost(
        self,
        attempt: run_pb2.Attempt,
        words: str,
        *,
        hit: tuple[int, ...] = (0,),
        newest: int = 0,
    ) -> None:
        losses = kill_storm.unexpected(attempt, hit, newest)
        self.assertLen(losses, 1)
        self.assertIn(words, losses[0])

    def test_a_kill_and_a_resume_are_none(self) -> None:
        killed = _attempt(0, None, range(1, 4), signal=9)
        self.assertEmpty(kill_storm.unexpected(killed, [0], 0))
        resumed = _attempt(1, 2, range(3, 5))
        self.assertEmpty(kill_storm.unexpected(resumed, [], 2))

    def test_a_silent_start_at_0_is_one(self) -> None:
        self._assert_lost(
            _attempt(1, None, range(1, 5)), "began from {None}", newest=2
        )

    def test_an_older_checkpoint_is_one(self) -> None:
        self._assert_lost(
            _attempt(1, 2, range(3, 5)), "began from {2}", newest=4
        )

    def test_a_refusal_is_one(self) -> None:
        refused = _attempt(
            1, 2, range(3, 3), code=exit_codes.DAMAGED_CHECKPOINT
        )
        self._assert_lost(refused, "was refused")

    def test_an_exit_with_0_untrained_is_one(self) -> None:
        self._assert_lost(
            _attempt(1, 2, range(3, 4)), "exited with 0 untrained"
        )

    def test_an_end_that_nobody_caused_is_one(self) -> None:
        self._assert_lost(
            _attempt(1, 2, range(3, 4), code=1), "nobody was killed", hit=()
        )

    def test_a_hang_is_one(self) -> None:
        hung = _attempt(1, 2, range(3, 4), signal=9)
        hung.ranks[0].exit.cause = _Exit.HANG
        hung.end.silence.seconds = 9
        self._assert_lost(hung, "The watchdog ended the attempt")

    def test_ranks_that_began_apart_are_one(self) -> None:
        apart = _attempt(1, 2, range(3, 5))
        other = _attempt(1, 4, range(5, 5)).ranks[0]
        apart.ranks.append(other)
        self._assert_lost(apart, "its ranks began from {2, 4}")


if __name__ == "__main__":
    absltest.main()
