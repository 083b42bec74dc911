"""Tests for comparing iterations that ran in both attempts."""

from absl.testing import absltest

from regress.case import case_pb2
from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import wording
from regress.run import run_pb2

_DIVERGENCE = verdict_pb2.Verdict.RESUME_DIVERGENCE


def _checks(records: record_test_helper.Records) -> dict[str, int]:
    return {
        check.name: check.compared
        for check in records.judge().checks
        if check.oracle == verdict_pb2.REPLAY
    }


class MetricsTest(verdict_testing.VerdictTestCase):
    def test_finds_a_step_that_came_out_otherwise(self):
        records = record_test_helper.passing()
        records.step(1, 3, 4).lm_loss = 5.0
        self.assert_fails(
            records,
            _DIVERGENCE,
            rules.METRICS_REPEATED,
            subject="lm loss",
            attempt=1,
            rank=3,
            iteration=4,
            expected="6.6 (0x1.a66666p+2)",
            actual="5.0 (0x1.4p+2)",
        )

    def test_needs_no_golden(self):
        records = record_test_helper.passing()
        records.golden.Clear()
        records.step(1, 3, 4).lm_loss = 5.0
        (check,) = (
            check
            for check in records.judge().checks
            if check.oracle == verdict_pb2.REPLAY
        )
        self.assertEqual(check.differing, 1)

    def test_compares_every_iteration_that_ran_twice(self):
        # Each rank has 6 metrics of the step and 3 of each param group. 2 ranks
        # have 2 groups and the data digest, and 1 rank has the loss.
        an_iteration = 4 * 6 + 6 * 3 + 2 + 1
        for iteration, repeated in ((5, 1), (6, 2)):
            records = record_test_helper.passing(
                record_test_helper.small_case(iteration=iteration)
            )
            self.assert_passes(records)
            self.assertEqual(
                _checks(records),
                {rules.METRICS_REPEATED.name: repeated * an_iteration},
            )

    def test_is_not_asked_for_where_nothing_runs_twice(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(iteration=4)
        )
        self.assert_passes(records)
        self.assertEmpty(_checks(records))

    def test_fails_where_something_had_to_run_twice_and_did_not(self):
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            records.remove_events(0, rank, "step")
            records.remove_events(1, rank, "step")
        self.assertEqual(_checks(records), {rules.METRICS_REPEATED.name: 0})

    def test_finds_a_metric_that_only_one_attempt_has(self):
        records = record_test_helper.passing()
        records.step(0, 2, 4).ClearField("params_norm")
        self.assert_fails(
            records,
            verdict_pb2.Verdict.NUMERIC_DRIFT,
            rules.METRICS_REPEATED,
            subject="params norm",
            rank=2,
            expected="no value",
            actual="one value",
        )


class StateTest(verdict_testing.VerdictTestCase):
    def test_compares_a_state_that_was_saved_twice(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(
                iteration=6, phase=case_pb2.CHECKPOINT_WRITE
            )
        )
        self.assert_passes(records)
        self.assertEqual(_checks(records)[rules.STATE_REPEATED.name], 4 * 7)
        again = records.state(1, 2, run_pb2.StateDigest.SAVED)
        again.entries[0].digest = "bad"
        self.assert_fails(
            records,
            _DIVERGENCE,
            rules.STATE_REPEATED,
            subject="chunk 0/param/weight",
            attempt=1,
            rank=2,
            iteration=6,
        )

    def test_the_entry_nearest_the_cause_is_first(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(
                iteration=6, phase=case_pb2.CHECKPOINT_WRITE
            )
        )
        for entry in records.state(1, 2, run_pb2.StateDigest.SAVED).entries:
            entry.digest = "bad"
        finding = self.assert_fails(records, _DIVERGENCE, rules.STATE_REPEATED)
        self.assertEqual(wording.subject(finding), "scheduler/num_steps")

    def test_only_the_waiting_rank_must_have_begun_to_save(self):
        for rank in range(record_test_helper.RANKS):
            records = record_test_helper.passing(
                record_test_helper.small_case(
                    iteration=6, phase=case_pb2.CHECKPOINT_WRITE
                )
            )
            events = records.rank(0, rank).events
            self.assertEqual(events[-1].state.iteration, 6)
            del events[-1]
            if rank == 3:
                self.assert_fails(
                    records,
                    verdict_pb2.Verdict.NUMERIC_DRIFT,
                    rules.STATE_REPEATED,
                    rank=3,
                )
            else:
                self.assert_passes(records)
                self.assertEqual(
                    _checks(records)[rules.STATE_REPEATED.name], 3 * 7
                )

    def test_a_rank_that_is_not_in_the_record_saved_nothing(self):
        for attempt in (0, 1):
            records = record_test_helper.passing(
                record_test_helper.small_case(
                    iteration=6, phase=case_pb2.CHECKPOINT_WRITE
                )
            )
            del records.run.attempts[attempt].ranks[3]
            self.assert_counts(records, rules.STATE_REPEATED, 3 * 7 + 1, 1)


if __name__ == "__main__":
    absltest.main()
