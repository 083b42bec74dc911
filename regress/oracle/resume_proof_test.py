"""Tests for the proof that attempt 1 was a resume."""

from collections.abc import Iterable

from absl.testing import absltest, parameterized

from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import summary
from regress.run import run_pb2

_Checkpoint = run_pb2.CheckpointEvent
_Exit = run_pb2.ExitStatus
_Verdict = verdict_pb2.Verdict
_NOT_RESUMED = _Verdict.NOT_RESUMED
_ELSEWHERE = "a resume did not continue where it had to"
_EARLY = "a resume continued where it had to, and ended early"
_NOT_ONCE = (
    "a resume began where it had to, and did not make each step and save once"
)


def _load(
    records: record_test_helper.Records, rank: int
) -> run_pb2.CheckpointEvent:
    """Returns the event of the checkpoint that a rank of attempt 1 loaded."""
    return next(
        event.checkpoint
        for event in records.rank(1, rank).events
        if event.WhichOneof("kind") == "checkpoint"
    )


class LoadTest(verdict_testing.VerdictTestCase):
    def test_rejects_a_run_that_starts_over_even_if_every_number_is_right(self):
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            record = records.rank(1, rank)
            kept = list(record.events[4:])
            del record.events[2:]
            record.events.add(
                checkpoint=_Checkpoint(kind=_Checkpoint.NONE_FOUND)
            )
            for iteration in (1, 2, 3):
                record.events.add(
                    step=record_test_helper.step(records.case, rank, iteration)
                )
            record.events.extend(kept)
        self.assertEqual(
            [
                event.step.iteration
                for event in records.rank(1, 0).events
                if event.HasField("step")
            ],
            list(range(1, 9)),
        )
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.CHECKPOINT_LOADED,
            rank=0,
            expected="LOADED 3",
            actual="NONE_FOUND 0",
        )
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.RESUMED_STEPS,
            rank=0,
            iteration=1,
            expected="never",
            actual="once",
        )

    def test_rejects_one_rank_that_loaded_another_iteration(self):
        records = record_test_helper.passing()
        _load(records, 2).iteration = 6
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.CHECKPOINT_LOADED,
            subject="checkpoint loaded",
            rank=2,
            expected="LOADED 3",
            actual="LOADED 6",
            explanation="A resume must load the newest whole checkpoint.",
        )

    def test_rejects_one_rank_that_found_none(self):
        records = record_test_helper.passing()
        _load(records, 3).kind = _Checkpoint.NONE_FOUND
        self.assert_fails(
            records, _NOT_RESUMED, rules.CHECKPOINT_LOADED, rank=3
        )

    def test_rejects_a_rank_that_loaded_twice_or_never_said(self):
        records = record_test_helper.passing()
        records.rank(1, 0).events.add(checkpoint=_load(records, 0))
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.CHECKPOINT_LOADED,
            actual="LOADED 3, LOADED 3",
        )
        records = record_test_helper.passing()
        records.remove_events(1, 0, "checkpoint")
        self.assert_fails(
            records, _NOT_RESUMED, rules.CHECKPOINT_LOADED, actual="nothing"
        )


class StepTest(verdict_testing.VerdictTestCase):
    def test_finds_a_step_that_is_missing_and_one_that_is_doubled(self):
        records = record_test_helper.passing()
        records.step(1, 1, 7).iteration = 6
        for iteration, actual in ((6, "2 times"), (7, "never")):
            self.assert_fails(
                records,
                _NOT_RESUMED,
                rules.RESUMED_STEPS,
                rank=1,
                iteration=iteration,
                expected="once",
                actual=actual,
            )

    def test_finds_steps_that_are_shifted_although_the_values_are_right(self):
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            for event in records.rank(1, rank).events:
                if event.HasField("step"):
                    event.step.iteration += 1
        for iteration in (4, 9):
            self.assert_fails(
                records,
                _NOT_RESUMED,
                rules.RESUMED_STEPS,
                iteration=iteration,
            )

    def test_rejects_an_attempt_without_steps(self):
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            records.remove_events(1, rank, "step")
        self.assert_fails(records, _NOT_RESUMED, rules.RESUMED_STEPS)

    def test_finds_a_checkpoint_that_was_not_written(self):
        records = record_test_helper.passing()
        saved = next(
            event.checkpoint
            for event in records.rank(1, 2).events
            if event.checkpoint.kind == _Checkpoint.SAVED
        )
        self.assertEqual(saved.iteration, 6)
        saved.iteration = 3
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.RESUMED_SAVES,
            rank=2,
            expected="6, 8",
            actual="3, 8",
        )


class ProcessTest(verdict_testing.VerdictTestCase):
    def test_rejects_a_process_that_lived_on(self):
        records = record_test_helper.passing()
        records.rank(1, 2).events[0].started.pid = 101
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.FRESH_PROCESSES,
            subject="process 101",
            rank=2,
            actual="rank 1 of attempt 0",
        )

    def test_rejects_ranks_that_share_a_process(self):
        records = record_test_helper.passing()
        records.rank(1, 2).events[0].started.pid = 201
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.FRESH_PROCESSES,
            rank=2,
            actual="rank 1 of attempt 1",
        )

    def test_rejects_a_rank_without_a_process(self):
        for attempt in (0, 1):
            records = record_test_helper.passing()
            records.rank(attempt, 2).events[0].started.pid = 0
            self.assert_fails(
                records,
                _NOT_RESUMED,
                rules.FRESH_PROCESSES,
                attempt=attempt,
                rank=2,
                actual="no process",
            )

    def test_rejects_an_attempt_that_is_compared_with_itself(self):
        records = record_test_helper.passing()
        records.run.attempts[0].CopyFrom(records.run.attempts[1])
        self.assert_fails(
            records,
            verdict_pb2.Verdict.NOT_INTERRUPTED,
            rules.FRESH_PROCESSES,
            actual="rank 0 of attempt 0",
        )


class AttemptsTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    def test_rejects_attempts_that_were_swapped(self):
        records = record_test_helper.passing()
        swapped = list(records.run.attempts)[::-1]
        del records.run.attempts[:]
        records.run.attempts.extend(swapped)
        self.assert_fails(
            records,
            verdict_pb2.Verdict.NOT_INTERRUPTED,
            rules.ATTEMPTS,
            expected="0, 1",
            actual="1, 0",
        )

    def test_rejects_a_run_that_was_not_resumed(self):
        records = record_test_helper.passing()
        del records.run.attempts[1]
        self.assert_fails(records, _NOT_RESUMED, rules.ATTEMPTS, actual="0")

    def test_rejects_a_third_attempt(self):
        records = record_test_helper.passing()
        records.run.attempts.add().CopyFrom(records.run.attempts[1])
        records.run.attempts[2].index = 2
        self.assert_fails(
            records, _NOT_RESUMED, rules.ATTEMPTS, actual="0, 1, 2"
        )

    def test_rejects_a_missing_an_extra_and_a_doubled_rank(self):
        for change in (
            lambda ranks: ranks.pop(),
            lambda ranks: ranks.add(rank=4),
            lambda ranks: ranks.add().CopyFrom(ranks[0]),
        ):
            records = record_test_helper.passing()
            change(records.run.attempts[1].ranks)
            self.assert_fails(
                records, _NOT_RESUMED, rules.RESUMED_RANKS, subject="ranks"
            )


def _train(
    records: record_test_helper.Records, iterations: Iterable[int]
) -> None:
    """Lets each rank of attempt 1 record these steps and no others."""
    for rank in range(record_test_helper.RANKS):
        records.remove_events(1, rank, "step")
        for iteration in iterations:
            records.rank(1, rank).events.add(
                step=record_test_helper.step(records.case, rank, iteration)
            )


class ShortfallTest(parameterized.TestCase):
    def _assert_said(
        self,
        records: record_test_helper.Records,
        shortfall: verdict_pb2.Verdict.Shortfall,
        words: str,
    ) -> None:
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _NOT_RESUMED)
        self.assertEqual(verdict.shortfall, shortfall)
        self.assertStartsWith(summary.summarize(verdict), f"{words};")

    @parameterized.parameters(
        # It loaded iteration 3, and there are 8.
        (range(5, 9), _Verdict.BEGAN_ELSEWHERE, _ELSEWHERE),
        (range(3, 9), _Verdict.BEGAN_ELSEWHERE, _ELSEWHERE),
        (range(4, 8), _Verdict.ENDED_EARLY, _EARLY),
        ((), _Verdict.ENDED_EARLY, _EARLY),
        ((4, 5, 7, 8), _Verdict.NOT_EACH_ONCE, _NOT_ONCE),
        ((4, 5, 5, 6, 7, 8), _Verdict.NOT_EACH_ONCE, _NOT_ONCE),
        (range(4, 10), _Verdict.NOT_EACH_ONCE, _NOT_ONCE),
    )
    def test_tells_by_the_steps(self, iterations, shortfall, words) -> None:
        records = record_test_helper.passing()
        _train(records, iterations)
        self._assert_said(records, shortfall, words)

    def test_a_rank_that_began_elsewhere_did_not_just_end_early(self) -> None:
        records = record_test_helper.passing()
        _train(records, range(4, 8))
        _load(records, 2).iteration = 6
        self._assert_said(records, _Verdict.BEGAN_ELSEWHERE, _ELSEWHERE)

    def test_a_save_that_was_left_out(self) -> None:
        records = record_test_helper.passing()
        for event in list(records.rank(1, 2).events):
            if event.checkpoint.kind == _Checkpoint.SAVED:
                records.rank(1, 2).events.remove(event)
        self._assert_said(records, _Verdict.NOT_EACH_ONCE, _NOT_ONCE)

    def test_a_rank_that_did_all_but_say_so(self) -> None:
        records = record_test_helper.passing()
        records.remove_events(1, 1, "finished")
        self._assert_said(records, _Verdict.ENDED_EARLY, _EARLY)

    def test_says_nothing_of_a_run_that_resumed(self) -> None:
        records = record_test_helper.passing()
        self.assertEqual(
            records.judge().shortfall, _Verdict.SHORTFALL_UNSPECIFIED
        )


class FinishTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    @parameterized.parameters(
        (_Exit(cause=_Exit.PEER_GONE, signal=9),),
        (_Exit(cause=_Exit.CANCELLED, signal=9),),
        (_Exit(cause=_Exit.INTERRUPTED, signal=9),),
        (_Exit(),),
    )
    def test_rejects_a_rank_that_did_not_end_by_itself(self, status):
        records = record_test_helper.passing()
        records.rank(1, 3).exit.CopyFrom(status)
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.FINISHED,
            rank=3,
            expected="BY_ITSELF, exit code 0",
        )

    def test_says_why_the_attempt_ended_before(self):
        records = record_test_helper.passing()
        records.rank(1, 3).exit.CopyFrom(_Exit(cause=_Exit.CANCELLED, signal=9))
        records.run.attempts[1].end.CopyFrom(record_test_helper.failed(2))
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.FINISHED,
            rank=3,
            end=record_test_helper.failed(2),
        )

    def test_rejects_a_rank_that_did_not_say_that_it_finished(self):
        records = record_test_helper.passing()
        records.remove_events(1, 3, "finished")
        self.assert_fails(
            records, _NOT_RESUMED, rules.FINISHED, actual="not finished"
        )

    def test_rejects_a_rank_that_says_so_twice(self):
        records = record_test_helper.passing()
        said = records.rank(1, 3).events[-1]
        records.rank(1, 3).events.append(said)
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.FINISHED,
            rank=3,
            actual="after iteration 8, after iteration 8",
        )

    def test_rejects_a_rank_that_says_it_had_nothing_to_do(self):
        records = record_test_helper.passing()
        records.rank(1, 3).events[-1].finished.already = True
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.FINISHED,
            rank=3,
            expected="after iteration 8",
            actual="after iteration 8, before it began",
        )

    def test_rejects_a_rank_that_finished_early(self):
        records = record_test_helper.passing()
        records.rank(1, 3).events[-1].finished.iteration = 7
        self.assert_fails(
            records,
            _NOT_RESUMED,
            rules.FINISHED,
            expected="after iteration 8",
            actual="after iteration 7",
        )


class SampleTest(verdict_testing.VerdictTestCase):
    def test_finds_samples_that_start_over(self):
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            for iteration in range(4, 9):
                step = records.step(1, rank, iteration)
                step.consumed_samples -= 48
        self.assert_fails(
            records,
            verdict_pb2.Verdict.RESUME_DIVERGENCE,
            rules.RESUMED_SAMPLES,
            rank=0,
            iteration=4,
            expected="64",
            actual="16",
        )


if __name__ == "__main__":
    absltest.main()
