"""Tests for comparing the loaded state with the saved one."""

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import summary, wording
from regress.run import run_pb2

_Digest = run_pb2.StateDigest
_DIVERGENCE = verdict_pb2.Verdict.RESUME_DIVERGENCE


class StateOracleTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    def test_counts_the_entries_of_all_ranks(self):
        (check,) = (
            check
            for check in record_test_helper.passing().judge().checks
            if check.name == rules.STATE_RESTORED.name
        )
        self.assertEqual((check.compared, check.differing), (4 * 7, 0))

    def test_names_an_entry_that_changed_on_one_rank(self):
        records = record_test_helper.passing()
        entry = records.state(1, 2, _Digest.LOADED).entries[2]
        saved = entry.digest
        entry.digest = "bad" + saved[3:]
        finding = self.assert_fails(
            records,
            _DIVERGENCE,
            rules.STATE_RESTORED,
            subject="chunk 0/exp_avg/weight",
            attempt=1,
            rank=2,
            iteration=3,
        )
        for text, digest in (
            (wording.expected(finding), saved),
            (wording.actual(finding), entry.digest),
        ):
            self.assertEqual(text, f"float32[64, 256], digest {digest[:12]}")

    def test_names_an_entry_that_was_not_loaded(self):
        records = record_test_helper.passing()
        del records.state(1, 1, _Digest.LOADED).entries[6]
        self.assert_fails(
            records,
            _DIVERGENCE,
            rules.STATE_RESTORED,
            subject="rng/model-parallel-rng",
            rank=1,
            actual="absent",
        )

    def test_names_an_entry_that_was_not_saved(self):
        records = record_test_helper.passing()
        records.state(1, 1, _Digest.LOADED).entries.add(name="new", digest="ab")
        self.assert_fails(
            records,
            _DIVERGENCE,
            rules.STATE_RESTORED,
            subject="new",
            rank=1,
            expected="absent",
        )

    def test_names_the_ranks_whose_states_were_exchanged(self):
        records = record_test_helper.passing()
        first, second = (
            records.state(1, rank, _Digest.LOADED) for rank in (1, 2)
        )
        copy = _Digest()
        copy.CopyFrom(first)
        first.CopyFrom(second)
        second.CopyFrom(copy)
        for rank in (1, 2):
            self.assert_fails(
                records, _DIVERGENCE, rules.STATE_RESTORED, rank=rank
            )

    @parameterized.parameters((0, _Digest.SAVED), (1, _Digest.LOADED))
    def test_rejects_a_digest_that_is_absent(self, attempt, moment):
        records = record_test_helper.passing()
        records.state(attempt, 3, moment).iteration = 99
        verdict = records.judge()
        self.assertNotEqual(verdict.conclusion, verdict_pb2.Verdict.PASS)
        self.assertTrue(
            any(
                wording.subject(finding) == "state digest" and finding.rank == 3
                for finding in verdict.findings
            )
        )

    def test_rejects_digests_without_entries(self):
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            del records.state(0, rank, _Digest.SAVED).entries[:]
            del records.state(1, rank, _Digest.LOADED).entries[:]
        verdict = records.judge()
        (check,) = (
            check
            for check in verdict.checks
            if check.name == rules.STATE_RESTORED.name
        )
        self.assertEqual(check.differing, 4)

    def test_rejects_a_state_that_was_loaded_besides_the_expected_one(self):
        records = record_test_helper.passing()
        records.rank(1, 0).events.add(
            state=record_test_helper.digest(0, 6, _Digest.LOADED)
        )
        self.assert_fails(
            records,
            _DIVERGENCE,
            rules.STATE_RESTORED,
            rank=0,
            iteration=6,
            subject="state digest",
        )

    def test_compares_another_load_with_the_save_of_its_own_iteration(self):
        records = record_test_helper.passing(record_test_helper.small_case(7))
        # It loads iteration 6; 3 is older.
        records.rank(1, 0).events.add(
            state=record_test_helper.digest(0, 3, _Digest.LOADED)
        )
        self.assert_counts(records, rules.STATE_RESTORED, 5 * 7, 0)

    def test_tells_of_the_load_and_of_the_entries_of_each_kind(self):
        state = record_test_helper.passing().judge().restored_state
        self.assertEqual((state.iteration, state.last_rank), (3, 3))
        self.assertEqual(
            [(one.kind, one.entries) for one in state.kinds if one.rank == 1],
            # From cause to consequence.
            [
                ("scheduler", 1),
                ("param group", 1),
                ("param", 1),
                ("main param", 1),
                ("exp_avg", 2),
                ("rng", 1),
            ],
        )

    def test_sums_up_the_expected_state_whatever_else_was_loaded(self):
        records = record_test_helper.passing()
        records.state(1, 0, _Digest.LOADED).entries[2].digest = "bad"
        records.rank(1, 0).events.add(
            state=record_test_helper.digest(0, 6, _Digest.LOADED)
        )
        self.assertIn(
            "of 29 loaded state entries 2 differ: exp_avg (1) on rank 0.",
            summary.summarize(records.judge()),
        )

    def test_sums_up_what_kinds_of_entries_differ(self):
        records = record_test_helper.passing()
        for rank, place in ((0, 2), (0, 3), (2, 2), (2, 6)):
            records.state(1, rank, _Digest.LOADED).entries[place].digest = "bad"
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _DIVERGENCE)
        self.assertIn(
            "of 28 loaded state entries 4 differ: exp_avg (3) on ranks 0, 2; "
            "rng (1) on rank 2.",
            summary.summarize(verdict),
        )


def _continued(
    records: record_test_helper.Records, attempt: int, iteration: int
) -> run_pb2.StateDigest:
    """Returns what rank 2 began the step after an iteration with."""
    (state,) = (
        event.state
        for event in records.rank(attempt, 2).events
        if event.state.moment == _Digest.CONTINUED
        and event.state.iteration == iteration
    )
    return state


class KeptTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    """Attempt 0 saves 3, and attempt 1 loads it and saves 6 and 8."""

    @parameterized.parameters(
        (0, 3, rules.SAVED_STATE_KEPT, "what was saved is not what training"),
        (1, 6, rules.SAVED_STATE_KEPT, "what was saved is not what training"),
        (1, 3, rules.LOADED_STATE_KEPT, "changed before the first step"),
    )
    def test_names_what_changed_before_the_next_step(
        self, attempt, iteration, rule, words
    ) -> None:
        records = record_test_helper.passing()
        _continued(records, attempt, iteration).entries[2].digest = "x"
        self.assert_fails(
            records,
            _DIVERGENCE,
            rule,
            subject="chunk 0/exp_avg/weight",
            attempt=attempt,
            rank=2,
            iteration=iteration,
        )
        verdict = records.judge()
        self.assertIn(words, summary.summarize(verdict))
        # The entry says why, so nothing needs to run again.
        self.assertFalse(verdict.HasField("repeat_through"))

    @parameterized.parameters(
        (0, 3, rules.SAVED_STATE_KEPT), (1, 3, rules.LOADED_STATE_KEPT)
    )
    def test_the_first_finding_is_nearest_the_cause(
        self, attempt, iteration, rule
    ) -> None:
        records = record_test_helper.passing()
        state = _continued(records, attempt, iteration)
        state.entries[2].digest = "x"
        # The scheduler's, which comes later in the record.
        state.entries[5].digest = "x"
        self.assert_fails(records, _DIVERGENCE, rule)
        self.assertEqual(
            [
                wording.subject(one)
                for one in records.judge().findings
                if one.check == rule.name
            ],
            ["scheduler/num_steps", "chunk 0/exp_avg/weight"],
        )

    def test_a_step_that_began_unseen_is_found(self) -> None:
        records = record_test_helper.passing()
        events = records.rank(1, 2).events
        for event in list(events):
            if event.state.moment == _Digest.CONTINUED:
                events.remove(event)
        for rule in (rules.SAVED_STATE_KEPT, rules.LOADED_STATE_KEPT):
            self.assert_fails(
                records, _DIVERGENCE, rule, subject="state digest", rank=2
            )

    def test_the_last_step_before_an_interruption_began_with_a_state(self):
        # Attempt 0 saves 3, runs 4, and is hit in 5.
        records = record_test_helper.passing()
        events = records.rank(0, 2).events
        (continued,) = (
            event for event in events if event.state.moment == _Digest.CONTINUED
        )
        events.remove(continued)
        self.assert_fails(
            records,
            _DIVERGENCE,
            rules.SAVED_STATE_KEPT,
            subject="state digest",
            attempt=0,
            rank=2,
        )

    def test_after_the_last_save_no_step_begins(self) -> None:
        # The only save before the last is that of attempt 0, and it ends there.
        case = record_test_helper.small_case(
            3, case_pb2.BETWEEN_STEPS, save_interval=3, iterations=5
        )
        records = record_test_helper.passing(case)
        self.assert_passes(records)
        names = [check.name for check in records.judge().checks]
        self.assertNotIn(rules.SAVED_STATE_KEPT.name, names)
        self.assertIn(rules.LOADED_STATE_KEPT.name, names)

    def test_without_the_save_side_three_causes_are_left(self) -> None:
        case = record_test_helper.small_case(
            3, case_pb2.BETWEEN_STEPS, save_interval=3, iterations=5
        )
        records = record_test_helper.passing(case)
        records.step(1, 3, 5).lm_loss = 1.5
        self.assertIn(
            "the loaded state is the saved state: some state is not saved, or "
            "is changed after the load, or what was saved is not what training "
            "went on with; or",
            summary.summarize(records.judge()),
        )


if __name__ == "__main__":
    absltest.main()
