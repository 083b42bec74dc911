"""Tests for the proof that attempt 0 was interrupted."""

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.run import attempt_end, run_pb2

_Exit = run_pb2.ExitStatus
_NOT_INTERRUPTED = verdict_pb2.Verdict.NOT_INTERRUPTED


class InterruptionTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    def test_rejects_a_run_that_nobody_interrupted(self):
        records = record_test_helper.passing()
        attempt = records.run.attempts[0]
        attempt.ClearField("interruption")
        for rank, record in enumerate(attempt.ranks):
            record.exit.CopyFrom(_Exit(cause=_Exit.BY_ITSELF))
            for iteration in range(5, 9):
                record.events.add(
                    step=record_test_helper.step(records.case, rank, iteration)
                )
            record.events.add(finished=run_pb2.Finished(iteration=8))
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTION,
            actual="no interruption",
        )

    def test_compares_nothing_of_an_attempt_that_is_not_there(self):
        records = record_test_helper.passing()
        del records.run.attempts[:]
        self.assert_counts(records, rules.INTERRUPTION, 0, 0)
        self.assert_counts(records, rules.INTERRUPTED_RANKS, 0, 0)

    def test_says_why_the_attempt_ended_before(self):
        records = record_test_helper.passing()
        attempt = records.run.attempts[0]
        attempt.ClearField("interruption")
        attempt.end.CopyFrom(record_test_helper.failed(2))
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTION,
            explanation=attempt_end.describe(
                record_test_helper.failed(2), "attempt_0"
            ),
        )

    @parameterized.parameters(
        ("iteration", 4, "5", "4"),
        ("phase", case_pb2.FORWARD, "BACKWARD", "FORWARD"),
        ("signal", case_pb2.SIGTERM, "SIGKILL", "SIGTERM"),
    )
    def test_rejects_another_interruption(self, field, value, expected, actual):
        records = record_test_helper.passing()
        setattr(records.run.attempts[0].interruption, field, value)
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTION,
            subject=f"interruption: {field}",
            expected=expected,
            actual=actual,
            explanation="The interruption is not the one that the case asks "
            "for.",
        )

    @parameterized.parameters(((),), ((2,),), ((0, 1, 2),))
    def test_rejects_an_interruption_of_other_ranks(self, ranks):
        records = record_test_helper.passing()
        records.run.attempts[0].interruption.ranks[:] = ranks
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTION,
            subject="interruption: ranks hit",
            expected="0, 1, 2, 3",
        )


class ExitTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    @parameterized.parameters(
        # Another signal ended the rank.
        (_Exit(cause=_Exit.INTERRUPTED, signal=15),),
        # It was hit, but exited on its own.
        (_Exit(cause=_Exit.INTERRUPTED),),
        (_Exit(cause=_Exit.INTERRUPTED, code=1),),
        # It was not hit.
        (_Exit(cause=_Exit.BY_ITSELF),),
        (_Exit(cause=_Exit.PEER_GONE, signal=9),),
        (_Exit(cause=_Exit.CANCELLED, signal=9),),
        # How it ended is unknown.
        (_Exit(),),
    )
    def test_rejects_a_hit_rank_that_did_not_die_by_the_signal(self, status):
        records = record_test_helper.passing()
        records.rank(0, 1).exit.CopyFrom(status)
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_EXITS,
            subject="exit status",
            rank=1,
            expected="INTERRUPTED, signal 9 (SIGKILL)",
            explanation="The rank that is hit must die by the signal.",
        )

    @parameterized.parameters(
        (case_pb2.SIGKILL, 9, 15), (case_pb2.SIGTERM, 15, 9)
    )
    def test_takes_no_other_signal_for_the_cases(self, asked, right, wrong):
        case = record_test_helper.small_case(signal=asked)
        records = record_test_helper.passing(case)
        self.assertEqual(records.rank(0, 0).exit.signal, right)
        self.assert_passes(records)
        records.rank(0, 0).exit.signal = wrong
        self.assert_fails(
            records, _NOT_INTERRUPTED, rules.INTERRUPTED_EXITS, rank=0
        )

    @parameterized.parameters(
        _Exit.BY_ITSELF, _Exit.INTERRUPTED, _Exit.CANCELLED
    )
    def test_rejects_another_end_of_a_rank_that_was_not_hit(self, cause):
        case = record_test_helper.small_case(ranks=(2,))
        records = record_test_helper.passing(case)
        records.rank(0, 0).exit.CopyFrom(_Exit(cause=cause))
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_EXITS,
            rank=0,
            expected="PEER_GONE",
            explanation="The ranks that are not hit are ended because a peer "
            "is gone.",
        )

    def test_does_not_mind_how_a_rank_ended_that_lost_its_peer(self):
        case = record_test_helper.small_case(ranks=(2,))
        records = record_test_helper.passing(case)
        records.rank(0, 0).exit.CopyFrom(_Exit(cause=_Exit.PEER_GONE, code=1))
        self.assert_passes(records)

    def test_a_stopped_rank_must_be_ended_by_the_watchdog(self):
        case = record_test_helper.small_case(signal=case_pb2.SIGSTOP)
        records = record_test_helper.passing(case)
        self.assert_passes(records)
        records.rank(0, 0).exit.CopyFrom(_Exit(cause=_Exit.PEER_GONE, signal=9))
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_EXITS,
            rank=0,
            explanation="A stopped rank is ended by the watchdog.",
        )


class GracefulTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    @parameterized.product(iteration=(4, 5, 6), ranks=((), (1,)))
    def test_every_rank_saves_and_ends_well(self, iteration, ranks):
        records = record_test_helper.passing(
            record_test_helper.small_case(
                iteration,
                signal=case_pb2.SIGTERM,
                ranks=ranks,
                graceful=True,
            )
        )
        self.assert_passes(records)
        for rank in range(record_test_helper.RANKS):
            status = records.rank(0, rank).exit
            cause = (
                "INTERRUPTED" if rank in (ranks or range(4)) else "BY_ITSELF"
            )
            ended = _Exit()
            ended.CopyFrom(status)
            status.CopyFrom(_Exit(cause=_Exit.PEER_GONE, signal=15))
            self.assert_fails(
                records,
                _NOT_INTERRUPTED,
                rules.INTERRUPTED_EXITS,
                rank=rank,
                expected=f"{cause}, exit code 0",
                actual="PEER_GONE, signal 15 (SIGTERM)",
                explanation="A graceful stop saves and exits with 0, on every "
                "rank.",
            )
            status.CopyFrom(ended)

    def test_a_rank_that_did_not_save_where_it_stopped_is_found(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(
                5, signal=case_pb2.SIGTERM, graceful=True
            )
        )
        events = records.rank(0, 2).events
        (saved,) = (
            event
            for event in events
            if event.checkpoint.kind == run_pb2.CheckpointEvent.SAVED
            and event.checkpoint.iteration == 5
        )
        events.remove(saved)
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_SAVES,
            rank=2,
            expected="3, 5",
            actual="3",
        )


class StepTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    @parameterized.parameters(
        case_pb2.FORWARD, case_pb2.BACKWARD, case_pb2.OPTIMIZER_STEP
    )
    def test_no_rank_completes_the_step_it_was_hit_in(self, phase):
        records = record_test_helper.passing(
            record_test_helper.small_case(phase=phase)
        )
        self.assert_passes(records)
        records.rank(0, 1).events.add(
            step=record_test_helper.step(records.case, 1, 5)
        )
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_STEPS,
            rank=1,
            iteration=5,
            expected="never",
            actual="once",
        )

    @parameterized.parameters(case_pb2.CHECKPOINT_WRITE, case_pb2.BETWEEN_STEPS)
    def test_only_the_waiting_rank_must_have_recorded_the_step(self, phase):
        # Iteration 4 saves nothing, so only the step is missing.
        for rank in range(4):
            records = record_test_helper.passing(
                record_test_helper.small_case(iteration=4, phase=phase)
            )
            self.assert_passes(records)
            events = records.rank(0, rank).events
            self.assertEqual(events[-1].step.iteration, 4)
            del events[-1]
            if rank == 3:
                self.assert_fails(
                    records,
                    _NOT_INTERRUPTED,
                    rules.INTERRUPTED_STEPS,
                    rank=3,
                    iteration=4,
                    expected="once",
                    actual="never",
                )
            else:
                self.assert_passes(records)

    def test_no_rank_may_be_two_steps_behind(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(
                iteration=5, phase=case_pb2.BETWEEN_STEPS
            )
        )
        del records.rank(0, 0).events[-2:]
        self.assert_fails(
            records, _NOT_INTERRUPTED, rules.INTERRUPTED_STEPS, rank=0
        )

    def test_finds_a_step_that_is_missing(self):
        records = record_test_helper.passing()
        events = records.rank(0, 2).events
        place = next(i for i, e in enumerate(events) if e.step.iteration == 2)
        del events[place]
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_STEPS,
            rank=2,
            iteration=2,
            actual="never",
        )

    def test_finds_a_step_that_is_doubled(self):
        records = record_test_helper.passing()
        records.rank(0, 2).events.add(step=records.step(0, 2, 4))
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_STEPS,
            subject="step",
            rank=2,
            iteration=4,
            actual="2 times",
            explanation="Each step must be recorded once, in order, and no "
            "other.",
        )

    def test_a_rank_that_the_case_has_not_may_have_no_step(self):
        records = record_test_helper.passing()
        records.run.attempts[0].ranks.add(rank=4)
        self.assertEqual(self._differing_steps(records), 0)
        records.rank(0, 4).events.add(step=records.step(0, 0, 1))
        self.assertEqual(self._differing_steps(records), 1)

    def _differing_steps(self, records: record_test_helper.Records) -> int:
        (differing,) = (
            check.differing
            for check in records.judge().checks
            if check.name == rules.INTERRUPTED_STEPS.name
        )
        return differing

    def test_finds_steps_out_of_order(self):
        records = record_test_helper.passing()
        first, second = (records.step(0, 0, i) for i in (1, 2))
        copy = run_pb2.StepMetrics()
        copy.CopyFrom(first)
        first.CopyFrom(second)
        second.CopyFrom(copy)
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_STEPS,
            rank=0,
            iteration=1,
            expected="in order",
            actual="after step 2",
        )


class StartTest(verdict_testing.VerdictTestCase):
    def test_rejects_an_attempt_that_resumed_something(self):
        records = record_test_helper.passing()
        records.rank(0, 1).events.add(
            checkpoint=run_pb2.CheckpointEvent(
                kind=run_pb2.CheckpointEvent.LOADED, iteration=0
            )
        )
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.STARTED_FROM_NOTHING,
            subject="checkpoint loaded",
            rank=1,
            expected="NONE_FOUND 0",
            actual="NONE_FOUND 0, LOADED 0",
            explanation="Attempt 0 must train from the beginning.",
        )

    def test_takes_a_trainer_that_does_not_say_that_it_found_nothing(self):
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            del records.rank(0, rank).events[2]
        self.assert_passes(records)

    def test_rejects_a_missing_an_extra_and_a_doubled_rank(self):
        for change in (
            lambda ranks: ranks.pop(),
            lambda ranks: ranks.add(rank=4),
            lambda ranks: ranks.add().CopyFrom(ranks[0]),
        ):
            records = record_test_helper.passing()
            change(records.run.attempts[0].ranks)
            self.assert_fails(
                records,
                _NOT_INTERRUPTED,
                rules.INTERRUPTED_RANKS,
                subject="ranks",
                expected="0, 1, 2, 3",
                explanation="The case asks for one rank a pipeline stage.",
            )

    def test_rejects_a_rank_that_did_not_say_who_it_is(self):
        records = record_test_helper.passing()
        records.remove_events(0, 3, "started")
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_RANKS,
            subject="start",
            rank=3,
            actual="never",
            explanation="A rank of an attempt is one process.",
        )


class SaveTest(verdict_testing.VerdictTestCase):
    def test_finds_a_checkpoint_that_was_not_written(self):
        records = record_test_helper.passing()
        records.remove_events(0, 1, "checkpoint")
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_SAVES,
            subject="checkpoints written",
            rank=1,
            expected="3",
            actual="none",
            explanation="A checkpoint ends every save interval.",
        )

    def test_finds_a_checkpoint_that_was_written_before_its_time(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(
                iteration=6, phase=case_pb2.CHECKPOINT_WRITE
            )
        )
        self.assert_passes(records)
        records.rank(0, 0).events.add(
            checkpoint=run_pb2.CheckpointEvent(
                kind=run_pb2.CheckpointEvent.SAVED, iteration=6
            )
        )
        self.assert_fails(
            records,
            _NOT_INTERRUPTED,
            rules.INTERRUPTED_SAVES,
            rank=0,
            expected="3",
            actual="3, 6",
        )

    def test_between_steps_only_the_waiting_rank_must_have_recorded_it(self):
        for rank in range(record_test_helper.RANKS):
            records = record_test_helper.passing(
                record_test_helper.small_case(
                    iteration=6, phase=case_pb2.BETWEEN_STEPS
                )
            )
            self.assert_passes(records)
            events = records.rank(0, rank).events
            self.assertEqual(events[-1].checkpoint.iteration, 6)
            del events[-1]
            if rank == 3:
                self.assert_fails(
                    records,
                    _NOT_INTERRUPTED,
                    rules.INTERRUPTED_SAVES,
                    rank=3,
                    expected="3, 6",
                    actual="3",
                )
            else:
                self.assert_passes(records)


class SampleTest(verdict_testing.VerdictTestCase):
    def test_finds_samples_that_do_not_follow_from_the_iteration(self):
        records = record_test_helper.passing()
        records.step(0, 1, 2).consumed_samples = 31
        self.assert_fails(
            records,
            verdict_pb2.Verdict.NUMERIC_DRIFT,
            rules.INTERRUPTED_SAMPLES,
            rank=1,
            iteration=2,
            expected="32",
            actual="31",
        )

    def test_does_not_look_at_a_step_too_many(self):
        records = record_test_helper.passing()
        records.rank(0, 0).events.add(
            step=record_test_helper.step(records.case, 0, 7)
        )
        # The 4 steps of 4 ranks; another check finds the fifth.
        self.assert_counts(records, rules.INTERRUPTED_SAMPLES, 4 * 4, 0)

    def test_finds_a_rank_that_did_not_count_them(self):
        records = record_test_helper.passing()
        for iteration in range(1, 5):
            records.step(0, 1, iteration).ClearField("consumed_samples")
        self.assert_fails(
            records,
            verdict_pb2.Verdict.NUMERIC_DRIFT,
            rules.INTERRUPTED_SAMPLES,
            rank=1,
            actual="no value",
        )


if __name__ == "__main__":
    absltest.main()
