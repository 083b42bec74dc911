"""Tests for the check of the checkpoint that a resume has begun from."""

from collections.abc import Sequence

from absl.testing import absltest, parameterized

from regress.oracle import command_record_test_helper as helper
from regress.oracle import rules, verdict_pb2
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_RULE = rules.FROM_THE_NEWEST

_LAST = 24


def _prints(first: int, last: int, *, killed: bool) -> run_pb2.Attempt:
    """Returns a launch that prints each iteration, and leaves nothing."""
    losses = {at: f"{1 / at:.3f}" for at in range(first, last + 1)}
    result = helper.attempt(0, losses, killed=killed)
    del result.checkpoints_left[:]
    return result


class CommandResumePointTest(helper.CommandTestCase):
    """An attempt is killed in 20; the next one begins in 9, as if at 8."""

    def setUp(self) -> None:
        super().setUp()
        self.attempts(
            _prints(1, 20, killed=True), _prints(9, _LAST, killed=False)
        )

    def attempts(self, *attempts: run_pb2.Attempt) -> None:
        """Has the record have other attempts."""
        del self.record.attempts[:]
        del self.record.command.interruption[:]
        for index, one in enumerate(attempts):
            one.index = index
            self.record.attempts.append(one)
            if one.HasField("interruption"):
                self.record.command.interruption.add(iteration=20)
        self.record.uninterrupted.CopyFrom(_prints(1, _LAST, killed=False))

    def leave(
        self, *paths: str, of: int = 0, sizes: Sequence[int] = (9, 4)
    ) -> None:
        """Has an attempt leave checkpoints."""
        for path in paths:
            self.record.attempts[of].checkpoints_left.add(
                path=path, bytes=sizes
            )

    def assert_took(self, path: str, newer: str, *, attempt: int = 1) -> None:
        """Asserts that a resume took a checkpoint where there was a newer."""
        self.assert_concludes(_Verdict.NOT_RESUMED)
        (found,) = self.found_by(_RULE)
        self.assertEqual(found.fact.kind, verdict_pb2.Fact.RESUMED_CHECKPOINT)
        self.assertEqual(found.expected.text, newer)
        self.assertEqual(found.actual.text, path)
        self.assertEqual(found.attempt, attempt)

    def assert_fine(self, resumes: int = 1) -> None:
        """Asserts that resumes began from the newest."""
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(self.counts_of(_RULE), (resumes, 0))

    def assert_not_judged(self) -> None:
        """Asserts that nobody knows from which one it began."""
        self.assert_concludes(_Verdict.PASS)
        self.assertIsNone(self.counts_of(_RULE))

    @parameterized.parameters(
        "step-{}.pt", "iter_{:07}", "epoch=0-step={}", "{}/a"
    )
    def test_an_older_one_was_resumed(self, name: str) -> None:
        self.leave(*(name.format(at) for at in (4, 8, 12, 16)))
        self.assert_took(name.format(8), name.format(16))
        (found,) = self.found_by(_RULE)
        self.assertEqual(found.iteration, 9)
        self.assertEqual(self.counts_of(_RULE), (1, 1))

    def test_the_newest_was_resumed(self) -> None:
        self.leave("step-4.pt", "step-8.pt")
        self.assert_fine()

    def test_what_was_just_saved_may_not_be_whole(self) -> None:
        self.leave("step-8.pt", "step-20.pt")
        self.assert_fine()
        self.leave("step-19.pt")
        self.assert_took("step-8.pt", "step-19.pt")

    def test_what_a_graceful_stop_left_is_whole(self) -> None:
        first = self.record.attempts[0]
        first.ranks[0].exit.CopyFrom(run_pb2.ExitStatus(cause="BY_ITSELF"))
        self.record.command.interruption[0].graceful = True
        self.leave("step-8.pt", "step-20.pt")
        self.assert_took("step-8.pt", "step-20.pt")

    @parameterized.parameters(([9, 3],), ([9],), ([8, 4, 4],), ([],))
    def test_what_lacks_something_is_not_whole(self, sizes: list[int]) -> None:
        self.leave("step-8.pt")
        self.leave("step-16.pt", sizes=sizes)
        self.assert_fine()

    def test_may_be_one_file(self) -> None:
        self.leave("step-8.pt", "step-16.pt", sizes=[9])
        self.assert_took("step-8.pt", "step-16.pt")

    @parameterized.parameters(([9, 4, 1],), ([4, 10],))
    def test_what_has_more_is_whole(self, sizes: list[int]) -> None:
        self.leave("step-8.pt")
        self.leave("step-16.pt", sizes=sizes)
        self.assert_took("step-8.pt", "step-16.pt")

    def test_sizes_that_are_not_known_tell_nothing(self) -> None:
        self.leave("step-8.pt", "step-16.pt", sizes=())
        self.assert_fine()

    def test_other_files_may_be_saved_more_often(self) -> None:
        self.leave("weights-4", "full-8", "weights-8", "weights-12")
        self.assert_fine()
        self.leave("full-12")
        self.assert_took("weights-8", "weights-12")

    def test_each_rank_may_save_a_file(self) -> None:
        self.leave("step-8/rank-0", "step-8/rank-1", "step-16/rank-0")
        self.assert_fine()
        self.leave("step-16/rank-1")
        self.assert_took("step-8/rank-0", "step-16/rank-0")

    def test_digits_of_a_loss_are_no_iterations(self) -> None:
        self.leave(
            "loss=0.08.pt", "loss=0.19.pt", "loss=8.0.pt", "loss=16.0.pt"
        )
        self.assert_not_judged()

    def test_numbers_that_are_no_iterations_tell_nothing(self) -> None:
        self.leave("epoch-1.pt", "epoch-2.pt")
        self.assert_not_judged()

    def test_ranks_tell_when_they_saved(self) -> None:
        before, after = self.record.attempts
        for one, iterations in ((before, range(1, 21)), (after, range(9, 25))):
            rank = one.observed.add()
            for iteration in iterations:
                rank.steps.add(iteration=iteration)
        for epoch in (1, 2):
            before.observed[0].states.add(
                moment="SAVED",
                iteration=8 * epoch,
                path=f"/tmp/job/epoch-{epoch}/model.pt",
            )
        self.leave("epoch-1", "epoch-2")
        self.assert_took("epoch-1", "epoch-2")
        # Of other files their names tell, and the newest of these was resumed.
        self.leave("step-8.pt")
        self.assert_fine()
        del self.record.attempts[0].checkpoints_left[2:]
        # The name of another folder may begin alike.
        before.observed[0].states[1].path = "/tmp/job/epoch-20/model.pt"
        self.assert_not_judged()

    def test_iterations_may_be_printed_from_0(self) -> None:
        self.attempts(
            _prints(1, 19, killed=True), _prints(8, _LAST, killed=False)
        )
        self.leave("step-8.pt")
        self.assert_fine()
        self.leave("step-16.pt")
        self.assert_took("step-8.pt", "step-16.pt")

    def test_not_every_iteration_may_be_printed(self) -> None:
        resumed = self.record.attempts[1]
        del resumed.ranks[0].events[1::2]
        del resumed.ranks[0].events[:1]
        self.assertEqual(resumed.ranks[0].events[0].printed.iteration, 11)
        del self.record.attempts[0].ranks[0].events[1::2]
        self.record.uninterrupted.CopyFrom(self.record.attempts[0])
        self.leave("step-8.pt")
        self.assertIsNone(self.counts_of(_RULE))
        self.leave("step-9.pt")
        self.assertEqual(self.counts_of(_RULE), (1, 0))

    def test_one_iteration_may_be_all_that_is_printed(self) -> None:
        self.attempts(
            _prints(1, 20, killed=True), _prints(14, 14, killed=False)
        )
        self.leave("step-12.pt", "step-16.pt")
        self.assertIsNone(self.counts_of(_RULE))
        self.leave("step-13.pt")
        self.assertEqual(self.counts_of(_RULE), (1, 1))

    def test_each_resume_is_looked_at(self) -> None:
        self.attempts(
            _prints(1, 20, killed=True),
            _prints(17, 17, killed=True),
            _prints(9, _LAST, killed=False),
        )
        self.leave("step-8.pt", "step-16.pt")
        # What the first attempt has left need not be saved again.
        self.leave("step-8.pt", "step-16.pt", of=1)
        self.assert_took("step-8.pt", "step-16.pt", attempt=2)
        self.assertEqual(self.counts_of(_RULE), (2, 1))
        # One of which nobody knows hides none.
        del self.record.attempts[0].checkpoints_left[:]
        self.assert_took("step-8.pt", "step-16.pt", attempt=2)
        self.assertEqual(self.counts_of(_RULE), (1, 1))

    def test_nothing_is_whole_before_anything_is_printed(self) -> None:
        self.attempts(
            _prints(20, 19, killed=True), _prints(1, _LAST, killed=False)
        )
        printed = self.record.attempts[1].ranks[0].events
        printed.insert(0, run_pb2.Event(printed={"iteration": 0}))
        self.leave("step-0.pt", "step-1.pt")
        self.assertEqual(self.counts_of(_RULE), (1, 0))

    def test_a_resume_that_prints_nothing_is_another_check_s(self) -> None:
        del self.record.attempts[1].ranks[0].events[:]
        self.leave("step-8.pt", "step-16.pt")
        self.assertIsNone(self.counts_of(_RULE))


if __name__ == "__main__":
    absltest.main()
