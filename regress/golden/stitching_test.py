"""Tests for stitching an interrupted run and its resumption together."""

from absl.testing import absltest

from regress.golden import errors, run_test_helper, stitching
from regress.run import run_pb2


def _without_identity(run: run_pb2.RunRecord) -> run_pb2.RunRecord:
    """Clears what always differs between two runs, and returns the run."""
    run.attempts[0].started_at = 0
    for rank in run.attempts[0].ranks:
        for event in rank.events:
            event.started.pid = 0
    return run


class StitchTest(absltest.TestCase):
    def test_gives_the_run_that_nobody_interrupted(self) -> None:
        for last in (2, 3, 4):
            stitched = stitching.stitch(run_test_helper.interrupted(1, 2, last))
            self.assertEqual(
                _without_identity(stitched),
                _without_identity(run_test_helper.uninterrupted(1)),
            )

    def test_takes_any_number_of_attempts(self) -> None:
        run = run_test_helper.interrupted(1, 2, 3)
        later = run_test_helper.interrupted(1, 4, 4)
        run.attempts.add().CopyFrom(later.attempts[1])
        self.assertEqual(
            _without_identity(stitching.stitch(run)),
            _without_identity(run_test_helper.uninterrupted(1)),
        )

    def test_iterations_that_ran_twice_are_the_resumed_ones(self) -> None:
        run = run_test_helper.interrupted(1, 2, 3)
        for event in run.attempts[1].ranks[0].events:
            if event.step.iteration == 3:
                event.step.grad_norm = 9
        stitched = stitching.stitch(run)
        self.assertEqual(run_test_helper.step_of(stitched, 0, 3).grad_norm, 9)

    def test_needs_two_attempts(self) -> None:
        with self.assertRaisesRegex(errors.GoldenError, "has 1 attempts"):
            stitching.stitch(run_test_helper.uninterrupted())

    def test_needs_a_resume(self) -> None:
        run = run_test_helper.interrupted(1, 2, 3)
        rank = run.attempts[1].ranks[1]
        kept = [e for e in rank.events if not e.HasField("checkpoint")]
        del rank.events[:]
        rank.events.extend(kept)
        with self.assertRaisesRegex(
            errors.GoldenError, "rank 1 of attempt 1 loaded no checkpoint"
        ):
            stitching.stitch(run)


if __name__ == "__main__":
    absltest.main()
