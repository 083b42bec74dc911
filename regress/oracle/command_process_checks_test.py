"""Tests for the checks of how the processes of a command ran."""

from absl.testing import absltest

from regress.oracle import check, rules, verdict_pb2
from regress.oracle import command_record_test_helper as helper
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_Cause = run_pb2.ExitStatus
_Fact = verdict_pb2.Fact
_NotJudged = verdict_pb2.NotJudged


class CommandProcessChecksTest(helper.CommandTestCase):
    def first_ends(self, end: run_pb2.CommandEnd) -> None:
        """Adds how the first attempt ended."""
        self.record.attempts[0].ranks[0].events.add(command_end=end)

    def find(self, rule: rules.Rule, kind: _Fact.Kind) -> verdict_pb2.Finding:
        """Returns the one finding of a check, which must be of this kind."""
        (found,) = self.found_by(rule)
        self.assertEqual(
            _Fact.Kind.Name(found.fact.kind), _Fact.Kind.Name(kind)
        )
        return found

    def test_a_failure_is_found_where_it_was(self) -> None:
        failed = run_pb2.ExitStatus(cause=_Cause.BY_ITSELF, code=3)
        resumed, whole = self.record.attempts[1], self.record.uninterrupted
        resumed.ranks[0].exit.CopyFrom(failed)
        resumed.end.failure.rank.last_log_line = "no space left"
        whole.ranks[0].exit.CopyFrom(failed)
        self.assert_concludes(_Verdict.CRASH)
        self.assertEqual(self.counts_of(rules.COMMAND_EXITS), (3, 2))
        of_resume, of_whole = self.found_by(rules.COMMAND_EXITS)
        self.assertEqual(of_resume.fact.kind, _Fact.EXIT_STATUS)
        self.assertEqual(of_resume.expected.text, "exit code 0")
        self.assertEqual(of_resume.actual.exit, failed)
        self.assertEqual(of_resume.end, resumed.end)
        self.assertEqual(of_resume.attempt, 1)
        self.assertFalse(of_resume.of_uninterrupted)
        self.assertTrue(of_whole.of_uninterrupted)

    def test_a_hang_is_found_where_it_was(self) -> None:
        hung = run_pb2.ExitStatus(cause=_Cause.HANG, signal=9)
        resumed, whole = self.record.attempts[1], self.record.uninterrupted
        resumed.ranks[0].exit.CopyFrom(hung)
        resumed.end.silence.seconds = 60
        whole.ranks[0].exit.CopyFrom(hung)
        self.assert_concludes(_Verdict.HANG)
        self.assertEqual(self.counts_of(rules.COMMAND_IN_TIME), (3, 2))
        # Whoever is ended has not failed.
        self.assertEqual(self.counts_of(rules.COMMAND_EXITS), (3, 0))
        of_resume, of_whole = self.found_by(rules.COMMAND_IN_TIME)
        self.assertEqual(of_resume.fact.kind, _Fact.EXIT_STATUS)
        self.assertEqual(
            of_resume.expected.text, "an end within the case's bounds"
        )
        self.assertEqual(of_resume.actual.exit, hung)
        self.assertEqual(of_resume.end, resumed.end)
        self.assertEqual(of_resume.attempt, 1)
        self.assertTrue(of_whole.of_uninterrupted)

    def test_lists_the_ranks_that_are_there(self) -> None:
        self.record.command.ranks = 2
        for attempt, pids in (
            (self.record.attempts[0], {1: 11, 0: 10}),
            (self.record.attempts[1], {2: 12, 0: 10}),
        ):
            attempt.ranks[0].events.add(
                command_processes=run_pb2.CommandProcesses(ranks=pids)
            )
        self.assert_concludes(_Verdict.WRONG_ENVIRONMENT)
        self.assertEqual(self.counts_of(rules.COMMAND_RANKS), (2, 1))
        found = self.find(rules.COMMAND_RANKS, _Fact.RANKS)
        self.assertEqual(found.expected, check.integers([0, 1]))
        self.assertEqual(found.actual, check.integers([0, 2]))
        self.assertEqual(found.attempt, 1)

    def test_ranks_that_do_not_show_are_not_judged(self) -> None:
        ranks = _NotJudged(kind=_NotJudged.RANKS)
        # The command itself is the only one.
        self.assertNotIn(ranks, self.judge().not_judged)
        self.record.command.ranks = 2
        self.assertIn(ranks, self.judge().not_judged)
        self.assertIsNone(self.counts_of(rules.COMMAND_RANKS))
        # These say themselves who they are.
        self.record.command.observe = True
        self.assertNotIn(ranks, self.judge().not_judged)

    def test_a_log_without_an_iteration(self) -> None:
        for lines, last_line, actual in (
            (0, "", "none of 0 lines"),
            (2, "done", "none of 2 lines; the last is: done"),
        ):
            self.record.attempts[0].CopyFrom(helper.attempt(0, {}))
            self.first_ends(
                run_pb2.CommandEnd(lines=lines, last_line=last_line)
            )
            self.assert_concludes(_Verdict.NOT_INTERRUPTED)
            self.assertEqual(self.counts_of(rules.COMMAND_INTERRUPTED), (1, 1))
            found = self.find(rules.COMMAND_INTERRUPTED, _Fact.LOG_LINE)
            self.assertEqual(found.expected.text, "one that names an iteration")
            self.assertEqual(found.actual.text, actual)
            self.assertEqual(found.attempt, 0)

    def test_an_end_before_the_interruption(self) -> None:
        self.record.attempts[0].CopyFrom(helper.attempt(0, helper.some(1, 2)))
        self.assert_concludes(_Verdict.NOT_INTERRUPTED)
        self.assertEqual(self.counts_of(rules.COMMAND_INTERRUPTED), (1, 1))
        found = self.find(
            rules.COMMAND_INTERRUPTED, _Fact.END_BEFORE_INTERRUPTION
        )
        self.assertEqual(
            found.expected.text,
            "iteration 3 in the log, at which the case interrupts",
        )
        self.assertEqual(found.actual.text, "exit code 0 after iteration 2")

    def test_a_crash_before_the_interruption_is_no_more_than_that(self) -> None:
        for losses in ({}, helper.some(1, 2)):
            self.record.attempts[0].CopyFrom(helper.attempt(0, losses))
            self.record.attempts[0].ranks[0].exit.code = 1
            self.assert_concludes(_Verdict.CRASH)
            self.assertEqual(self.counts_of(rules.COMMAND_INTERRUPTED), (0, 0))

    def test_one_that_outstays_sigterm(self) -> None:
        self.record.command.grace_seconds = 30
        self.first_ends(run_pb2.CommandEnd(overstayed=True))
        self.assert_concludes(_Verdict.NOT_INTERRUPTED)
        self.assertEqual(self.counts_of(rules.COMMAND_INTERRUPTED), (1, 1))
        found = self.find(rules.COMMAND_INTERRUPTED, _Fact.END_AFTER_SIGTERM)
        self.assertEqual(found.expected.text, "an end within 30 s")
        self.assertEqual(found.actual.text, "none; SIGKILL ended it")

    def test_a_graceful_stop_ends_with_exit_code_0(self) -> None:
        self.record.command.interruption[0].graceful = True
        status = self.record.attempts[0].ranks[0].exit
        for code, signal in ((1, 0), (0, 15)):
            status.CopyFrom(
                run_pb2.ExitStatus(
                    cause=_Cause.INTERRUPTED, code=code, signal=signal
                )
            )
            self.assert_concludes(_Verdict.NOT_INTERRUPTED)
            self.assertEqual(self.counts_of(rules.COMMAND_INTERRUPTED), (1, 1))
            found = self.find(
                rules.COMMAND_INTERRUPTED, _Fact.EXIT_AFTER_GRACEFUL_STOP
            )
            self.assertEqual(found.expected.text, "exit code 0")
            self.assertEqual(found.actual.exit, status)
        status.CopyFrom(run_pb2.ExitStatus(cause=_Cause.INTERRUPTED))
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(self.counts_of(rules.COMMAND_INTERRUPTED), (1, 0))

    def test_each_interruption_is_checked(self) -> None:
        helper.interrupt_twice(self.record)
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(self.counts_of(rules.COMMAND_INTERRUPTED), (2, 0))
        self.assertEqual(self.counts_of(rules.CHECKPOINT_LEFT), (2, 0))

    def test_nothing_to_resume_from(self) -> None:
        helper.interrupt_twice(self.record)
        del self.record.attempts[1].checkpoints_left[:]
        self.assert_concludes(_Verdict.NOT_RESUMED)
        self.assertEqual(self.counts_of(rules.CHECKPOINT_LEFT), (2, 1))
        found = self.find(rules.CHECKPOINT_LEFT, _Fact.CHECKPOINT_TO_RESUME)
        self.assertEqual(
            found.expected.text, "a file or folder ckpt.pt in the job's folder"
        )
        self.assertTrue(found.actual.absent)
        self.assertEqual(found.attempt, 1)

    def test_a_resume_may_leave_nothing_that_is_new(self) -> None:
        del self.record.attempts[1].checkpoints_left[:]
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(self.counts_of(rules.CHECKPOINT_LEFT), (1, 0))

    def test_what_was_not_interrupted_need_not_leave_anything(self) -> None:
        self.record.attempts[0].ClearField("interruption")
        del self.record.attempts[0].checkpoints_left[:]
        self.assertEqual(self.counts_of(rules.CHECKPOINT_LEFT), (0, 0))

    def test_a_resume_that_begins_anew(self) -> None:
        # It need not begin at 1.
        self.record.attempts[0].CopyFrom(
            helper.attempt(0, helper.some(2, 3), killed=True)
        )
        self.resume_prints(helper.some(2, 3, 4))
        self.assert_concludes(_Verdict.NOT_RESUMED)
        self.assertEqual(self.counts_of(rules.NOT_BEGUN_ANEW), (1, 1))
        found = self.find(rules.NOT_BEGUN_ANEW, _Fact.FIRST_ITERATION)
        self.assertEqual(found.expected.text, "one after 2")
        self.assertEqual(found.actual.text, "2")
        self.assertEqual(found.attempt, 1)

    def test_a_resume_that_prints_no_iteration(self) -> None:
        self.resume_prints({})
        self.assert_concludes(_Verdict.NOT_RESUMED)
        self.assertEqual(self.counts_of(rules.NOT_BEGUN_ANEW), (1, 1))
        found = self.find(rules.NOT_BEGUN_ANEW, _Fact.NOTHING_RESUMED)
        self.assertEqual(found.expected.text, "one after 1")
        self.assertTrue(found.actual.absent)


if __name__ == "__main__":
    absltest.main()
