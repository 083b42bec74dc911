"""Tests for what a repeat of attempt 0 decides."""

from collections.abc import Callable

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import summary, wording
from regress.run import attempt_end, run_pb2

_Verdict = verdict_pb2.Verdict
_SAVED = run_pb2.StateDigest.SAVED
_ALL = range(record_test_helper.RANKS)
_LAST = record_test_helper.RANKS - 1

# Attempt 0 of the small case runs iterations 1 to 4 and saves 3. Attempt 1
# resumes from 3: it replays 4, runs 5 to 8, and saves 6.
_REPLAYED = 4
_BEYOND = 7
_SAVED_BEYOND = 6


def _differ(attempt: run_pb2.Attempt, iteration: int, value: float) -> None:
    """Changes the loss of one step of an attempt."""
    for event in attempt.ranks[_LAST].events:
        if event.step.iteration == iteration:
            event.step.lm_loss = value


def _differ_in_state(
    attempt: run_pb2.Attempt, iteration: int, digest: str
) -> None:
    """Changes one entry of a state that one rank of an attempt saved."""
    for event in attempt.ranks[1].events:
        if (event.state.moment, event.state.iteration) == (_SAVED, iteration):
            event.state.entries[1].digest = digest


def _drifted(iteration: int = _REPLAYED) -> record_test_helper.Records:
    """Returns records in which attempt 0 and its replay left the golden."""
    records = record_test_helper.passing()
    for attempt in records.run.attempts:
        _differ(attempt, iteration, 1.5)
    return records


def _saved_otherwise(
    iteration: int, save_interval: int
) -> record_test_helper.Records:
    """Returns records in which attempt 0 saved a state unlike the golden's."""
    records = record_test_helper.passing(
        record_test_helper.small_case(save_interval=save_interval)
    )
    _differ_in_state(records.run.attempts[0], iteration, "bad")
    loaded = records.state(1, 1, run_pb2.StateDigest.LOADED)
    if loaded.iteration == iteration:
        loaded.entries[1].digest = "bad"
    return records


def _diverged(iteration: int) -> record_test_helper.Records:
    """Returns records in which only attempt 1 left the golden.

    Its loaded state is right.
    """
    records = record_test_helper.passing()
    _differ(records.run.attempts[1], iteration, 1.5)
    return records


def _rows(verdict: verdict_pb2.Verdict) -> dict[str, int]:
    """Returns the conclusions of a repeat's checks, by check name."""
    names = {
        rule.name
        for rule in (
            rules.REPEAT_RAN,
            rules.ATTEMPT_REPEATED,
            rules.ATTEMPT_STATE_REPEATED,
            rules.CONTINUED_METRICS,
            rules.CONTINUED_STATE,
            rules.REPEAT_METRICS,
            rules.REPEAT_STATE,
        )
    }
    return {
        check.name: check.conclusion
        for check in verdict.checks
        if check.name in names
    }


class NeedTest(parameterized.TestCase):
    @parameterized.parameters(
        (_drifted, _REPLAYED),
        (lambda: _diverged(_REPLAYED), _REPLAYED),
        (lambda: _diverged(_BEYOND), _BEYOND),
    )
    def test_a_mismatch_of_numbers_hangs_on_a_repeat(
        self, make: Callable[[], record_test_helper.Records], through: int
    ):
        records = make()
        self.assertEqual(records.judge().repeat_through, through)
        records.add_repeat(through)
        self.assertFalse(records.judge().HasField("repeat_through"))

    def test_a_mismatch_of_saved_state_hangs_on_a_repeat(self):
        beyond = record_test_helper.passing()
        _differ_in_state(beyond.run.attempts[1], _SAVED_BEYOND, "bad")
        beyond.go_on_as_recorded()
        for records, iteration in (
            (_saved_otherwise(3, 3), 3),
            (beyond, _SAVED_BEYOND),
        ):
            verdict = records.judge()
            self.assertEqual(verdict.repeat_through, iteration)
            self.assertEqual(verdict.first_bad_iteration, iteration)

    def test_a_wrong_state_explains_what_follows(self):
        records = _diverged(_REPLAYED)
        loaded = records.state(1, 0, run_pb2.StateDigest.LOADED)
        loaded.entries[0].digest = "bad"
        self.assertFalse(records.judge().HasField("repeat_through"))

    def test_drift_hangs_on_a_repeat_whatever_was_loaded(self):
        records = _drifted()
        loaded = records.state(1, 0, run_pb2.StateDigest.LOADED)
        loaded.entries[0].digest = "bad"
        self.assertEqual(records.judge().repeat_through, _REPLAYED)

    def test_nothing_else_hangs_on_a_repeat(self):
        records = record_test_helper.passing()
        self.assertFalse(records.judge().HasField("repeat_through"))
        for attempt in records.run.attempts:
            _differ(attempt, _REPLAYED, 1.5)
        records.rank(1, 0).exit.code = 1
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.CRASH)
        self.assertFalse(verdict.HasField("repeat_through"))


class DecisionTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    def test_without_a_repeat_there_are_no_rows_of_it(self):
        self.assertEmpty(_rows(_drifted().judge()))

    @parameterized.parameters(*_ALL)
    def test_a_repeat_that_came_too_short_is_a_crash(self, rank):
        records = _drifted()
        repeat = records.add_repeat(_REPLAYED)
        repeat.end.CopyFrom(record_test_helper.failed(3))
        events = [
            event
            for event in repeat.ranks[rank].events
            if event.step.iteration != _REPLAYED
        ]
        del repeat.ranks[rank].events[:]
        repeat.ranks[rank].events.extend(events)
        self.assert_fails(
            records,
            _Verdict.CRASH,
            rules.REPEAT_RAN,
            subject="iterations",
            attempt=0,
            rank=rank,
            expected="iterations 1 to 4, each once",
            actual="3 iterations, the last is 3",
            explanation=attempt_end.describe(
                record_test_helper.failed(3), "repeat/attempt_0"
            ),
        )
        said = summary.summarize(records.judge())
        self.assertIn("of the repeat of attempt 0", said)
        self.assertIn("no memory", said)

    @parameterized.parameters(
        (_drifted, "iterations 1 to 4, each once"),
        # Even if no verdict depends on it, a repeat must run something.
        (record_test_helper.passing, "iterations 1 to 1, each once"),
    )
    def test_a_repeat_without_ranks_or_without_events_is_a_crash(
        self, make, expected
    ):
        records = make()
        repeat = records.add_repeat(_REPLAYED)
        for rank in repeat.ranks:
            del rank.events[:]
        for rank in _ALL:
            self.assert_fails(
                records,
                _Verdict.CRASH,
                rules.REPEAT_RAN,
                rank=rank,
                expected=expected,
                actual="0 iterations, the last is none",
                explanation="The repeat of attempt 0 did not get to the first "
                "bad iteration.",
            )
        del repeat.ranks[:]
        self.assert_fails(records, _Verdict.CRASH, rules.REPEAT_RAN, rank=3)

    def test_a_repeat_that_did_a_step_twice_is_a_crash(self):
        records = _drifted()
        events = records.add_repeat(_REPLAYED).ranks[2].events
        step = next(e for e in events if e.step.iteration == 2)
        events.insert(0, step)
        self.assert_fails(records, _Verdict.CRASH, rules.REPEAT_RAN, rank=2)

    @parameterized.parameters(1, 2, _REPLAYED)
    def test_drift_that_a_repeat_repeats_is_drift(self, iteration):
        records = _drifted(iteration)
        _differ(records.add_repeat(iteration), iteration, 1.5)
        self.assert_fails(
            records,
            _Verdict.NUMERIC_DRIFT,
            rules.REPEAT_METRICS,
            subject="lm loss",
            rank=_LAST,
            iteration=iteration,
        )
        self.assertIn(
            "a repeat of attempt 0 gave the same numbers, so the numbers are "
            "reproducible",
            summary.summarize(records.judge()),
        )

    @parameterized.parameters(None, 2.5)
    def test_drift_that_a_repeat_does_not_repeat_is_noise(self, value):
        # The repeat may match the golden, or neither the golden nor attempt 0.
        records = _drifted()
        repeat = records.add_repeat(_REPLAYED)
        if value:
            _differ(repeat, _REPLAYED, value)
        finding = self.assert_fails(
            records,
            _Verdict.NONDETERMINISM,
            rules.ATTEMPT_REPEATED,
            subject="lm loss",
            rank=_LAST,
            iteration=_REPLAYED,
        )
        self.assertEqual(finding, records.judge().findings[0])
        self.assertIn(
            "the same iterations, run twice from the same state, differ; lm "
            f"loss of the repeat of attempt 0 on rank {_LAST} at iteration "
            f"{_REPLAYED}: expected 1.5 ",
            summary.summarize(records.judge()),
        )
        self.assertEqual(records.judge().first_bad_iteration, _REPLAYED)

    def test_state_that_a_repeat_does_not_repeat_is_noise(self):
        records = _drifted()
        repeat = records.add_repeat(_REPLAYED)
        _differ(repeat, _REPLAYED, 1.5)
        _differ_in_state(repeat, 3, "another")
        self.assert_fails(
            records,
            _Verdict.NONDETERMINISM,
            rules.ATTEMPT_STATE_REPEATED,
            subject="chunk 0/main param/weight",
            rank=1,
            iteration=3,
        )

    @parameterized.parameters((3, 3), (1, 1), (4, 1))
    def test_saved_state_that_a_repeat_saves_again_is_drift(
        self, iteration, save_interval
    ):
        records = _saved_otherwise(iteration, save_interval)
        _differ_in_state(records.add_repeat(iteration), iteration, "bad")
        self.assert_fails(
            records,
            _Verdict.NUMERIC_DRIFT,
            rules.REPEAT_STATE,
            rank=1,
            iteration=iteration,
        )

    @parameterized.parameters((3, 3), (1, 1), (4, 1))
    def test_saved_state_that_a_repeat_does_not_save_is_noise(
        self, iteration, save_interval
    ):
        records = _saved_otherwise(iteration, save_interval)
        self.assertEqual(records.judge().repeat_through, iteration)
        records.add_repeat(iteration)
        self.assert_fails(
            records,
            _Verdict.NONDETERMINISM,
            rules.ATTEMPT_STATE_REPEATED,
            rank=1,
            iteration=iteration,
        )

    def test_the_entry_nearest_the_cause_is_first(self):
        records = _drifted()
        repeat = records.add_repeat(_REPLAYED)
        _differ(repeat, _REPLAYED, 1.5)
        for event in repeat.ranks[1].events:
            for entry in event.state.entries:
                entry.digest = "another"
        finding = self.assert_fails(
            records, _Verdict.NONDETERMINISM, rules.ATTEMPT_STATE_REPEATED
        )
        self.assertEqual(wording.subject(finding), "scheduler/num_steps")

    def test_a_rank_that_attempt_0_lacks_cannot_be_compared(self):
        records = record_test_helper.passing()
        del records.run.attempts[0].ranks[1]
        records.add_repeat(_REPLAYED)
        self.assert_fails(
            records,
            _Verdict.NOT_INTERRUPTED,
            rules.ATTEMPT_STATE_REPEATED,
            subject="state digest",
            rank=1,
            iteration=3,
            expected="recorded once, and once to compare with",
            actual="recorded once, and never to compare with",
        )

    @parameterized.parameters(_REPLAYED, 5, _BEYOND)
    def test_a_divergence_that_no_repeat_shows_is_a_divergence(self, iteration):
        records = _diverged(iteration)
        records.add_repeat(iteration)
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertEqual(set(_rows(verdict).values()), {_Verdict.PASS})
        self.assertIn(
            "a repeat of attempt 0 gave the same numbers as attempt 0 and the "
            "golden, and the loaded state is the saved state, and training",
            summary.summarize(verdict),
        )
        self.assertIn(
            "that lm loss is the first to differ", summary.summarize(verdict)
        )

    def test_a_divergence_is_noise_if_attempt_0_is_not_repeated(self):
        records = _diverged(_BEYOND)
        _differ(records.add_repeat(_BEYOND), 2, 2.5)
        self.assert_fails(
            records,
            _Verdict.NONDETERMINISM,
            rules.ATTEMPT_REPEATED,
            iteration=2,
        )

    def test_two_runs_beyond_attempt_0_that_differ_are_noise(self):
        records = _diverged(_BEYOND)
        _differ(records.add_repeat(_BEYOND), _BEYOND, 2.5)
        finding = self.assert_fails(
            records,
            _Verdict.NONDETERMINISM,
            rules.CONTINUED_METRICS,
            attempt=1,
            rank=_LAST,
            iteration=_BEYOND,
        )
        self.assertStartsWith(wording.expected(finding), "2.5 ")
        self.assertStartsWith(wording.actual(finding), "1.5 ")
        self.assertIn(
            "expected is what the repeat of attempt 0 did",
            summary.summarize(records.judge()),
        )

    def test_two_runs_beyond_attempt_0_that_agree_have_drifted(self):
        records = _diverged(_BEYOND)
        _differ(records.add_repeat(_BEYOND), _BEYOND, 1.5)
        self.assert_fails(
            records,
            _Verdict.NUMERIC_DRIFT,
            rules.REPEAT_METRICS,
            rank=_LAST,
            iteration=_BEYOND,
        )
        self.assertIn(
            "attempt 1 and a repeat of attempt 0 gave the same numbers",
            summary.summarize(records.judge()),
        )

    @parameterized.parameters(
        (None, _Verdict.RESUME_DIVERGENCE),
        ("bad", _Verdict.NUMERIC_DRIFT),
        ("another", _Verdict.NONDETERMINISM),
    )
    def test_states_beyond_attempt_0_are_judged_alike(self, digest, conclusion):
        records = record_test_helper.passing()
        _differ_in_state(records.run.attempts[1], _SAVED_BEYOND, "bad")
        records.go_on_as_recorded()
        self.assertEqual(records.judge().repeat_through, _SAVED_BEYOND)
        repeat = records.add_repeat(_SAVED_BEYOND)
        if digest:
            _differ_in_state(repeat, _SAVED_BEYOND, digest)
        self.assertEqual(records.judge().conclusion, conclusion)

    def test_two_states_beyond_attempt_0_that_differ_are_noise(self):
        records = record_test_helper.passing()
        _differ_in_state(records.run.attempts[1], _SAVED_BEYOND, "bad")
        _differ_in_state(
            records.add_repeat(_SAVED_BEYOND), _SAVED_BEYOND, "another"
        )
        finding = self.assert_fails(
            records,
            _Verdict.NONDETERMINISM,
            rules.CONTINUED_STATE,
            subject="chunk 0/main param/weight",
            attempt=1,
            rank=1,
            iteration=_SAVED_BEYOND,
        )
        self.assertEndsWith(wording.expected(finding), "digest another")
        self.assertEndsWith(wording.actual(finding), "digest bad")

    def test_of_two_states_beyond_attempt_0_the_cause_is_first(self):
        records = record_test_helper.passing()
        _differ_in_state(records.run.attempts[1], _SAVED_BEYOND, "bad")
        for event in records.add_repeat(_SAVED_BEYOND).ranks[1].events:
            if event.state.iteration == _SAVED_BEYOND:
                for entry in event.state.entries:
                    entry.digest = "another"
        finding = self.assert_fails(
            records, _Verdict.NONDETERMINISM, rules.CONTINUED_STATE
        )
        self.assertEqual(wording.subject(finding), "scheduler/num_steps")

    def test_a_repeat_that_came_to_no_save_has_no_row_of_saves(self):
        records = record_test_helper.passing()
        records.add_repeat(2)
        self.assert_passes(records)
        self.assertCountEqual(
            _rows(records.judge()),
            [
                rules.REPEAT_RAN.name,
                rules.ATTEMPT_REPEATED.name,
                rules.REPEAT_METRICS.name,
            ],
        )

    def test_saves_that_the_repeat_did_not_come_to_are_not_compared(self):
        # Attempt 0 saves 3 and 6.
        records = record_test_helper.passing(
            record_test_helper.small_case(iteration=8, iterations=9)
        )
        _differ(records.run.attempts[0], 4, 1.5)
        _differ(records.add_repeat(4), 4, 1.5)
        self.assert_fails(records, _Verdict.NUMERIC_DRIFT, rules.REPEAT_METRICS)

    def test_a_replay_that_failed_says_nothing_of_what_came_after(self):
        records = _diverged(_REPLAYED)
        _differ(records.add_repeat(_BEYOND), _BEYOND, 2.5)
        rows = _rows(records.judge())
        self.assertNotIn(rules.CONTINUED_METRICS.name, rows)

    def test_a_case_without_a_replay_is_decided_too(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(4, case_pb2.BACKWARD)
        )
        _differ(records.run.attempts[1], 4, 1.5)
        _differ(records.add_repeat(4), 4, 2.5)
        self.assert_fails(
            records,
            _Verdict.NONDETERMINISM,
            rules.CONTINUED_METRICS,
            iteration=4,
        )


class NeverGreenTest(parameterized.TestCase):
    def test_a_repeat_of_a_run_that_passes_may_fail_it(self):
        records = record_test_helper.passing()
        repeat = records.add_repeat(_REPLAYED)
        self.assertEqual(records.judge().conclusion, _Verdict.PASS)
        _differ(repeat, 2, 2.5)
        self.assertEqual(records.judge().conclusion, _Verdict.NONDETERMINISM)

    @parameterized.product(
        make=(
            _drifted,
            lambda: _diverged(_REPLAYED),
            lambda: _diverged(_BEYOND),
        ),
        like_golden=(True, False),
    )
    def test_no_repeat_makes_a_pass_of_a_failure(self, make, like_golden):
        records = make()
        through = records.judge().repeat_through
        before = {check.name for check in records.judge().checks}
        repeat = records.add_repeat(through)
        if not like_golden:
            _differ(repeat, through, 1.5)
        verdict = records.judge()
        self.assertNotEqual(verdict.conclusion, _Verdict.PASS)
        # The repeat removes no check.
        self.assertLessEqual(before, {check.name for check in verdict.checks})


if __name__ == "__main__":
    absltest.main()
