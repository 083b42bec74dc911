"""Tests for comparing the trajectory with the golden."""

import math
import struct

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import wording
from regress.run import run_pb2

_DRIFT = verdict_pb2.Verdict.NUMERIC_DRIFT
_DIVERGENCE = verdict_pb2.Verdict.RESUME_DIVERGENCE


def _next_float32(value: float) -> float:
    (bits,) = struct.unpack("<i", struct.pack("<f", value))
    (following,) = struct.unpack("<f", struct.pack("<i", bits + 1))
    return float(following)


class MetricsTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    def test_finds_one_unit_in_the_last_place_of_every_metric(self):
        for field in ("grad_norm", "params_norm", "loss_scale"):
            records = record_test_helper.passing()
            step = records.step(1, 1, 8)
            setattr(step, field, _next_float32(getattr(step, field)))
            finding = self.assert_fails(
                records,
                _DIVERGENCE,
                rules.RESUMED_METRICS,
                subject=field.replace("_", " "),
                attempt=1,
                rank=1,
                iteration=8,
                ulps=1,
            )
            self.assertGreater(finding.absolute, 0)

    def test_finds_one_bit_of_a_learning_rate_of_one_group_on_one_rank(self):
        records = record_test_helper.passing()
        group = records.step(1, 3, 7).param_groups[1]
        group.learning_rate = math.nextafter(group.learning_rate, 1.0)
        self.assert_fails(
            records,
            _DIVERGENCE,
            rules.RESUMED_METRICS,
            subject='learning rate of group "decoupled"',
            rank=3,
            iteration=7,
            ulps=1,
        )

    def test_finds_a_group_that_took_the_other_groups_rate(self):
        records = record_test_helper.passing()
        for iteration in range(4, 9):
            default, decoupled = records.step(1, 0, iteration).param_groups
            default.learning_rate = decoupled.learning_rate
        finding = self.assert_fails(
            records,
            _DIVERGENCE,
            rules.RESUMED_METRICS,
            subject='learning rate of group "default"',
            rank=0,
            iteration=4,
        )
        self.assertIn("0.0004 ", wording.expected(finding))
        self.assertIn("0.002 ", wording.actual(finding))

    @parameterized.parameters("weight_decay", "elements")
    def test_finds_other_fields_of_a_group(self, field):
        records = record_test_helper.passing()
        group = records.step(1, 2, 6).param_groups[0]
        setattr(group, field, getattr(group, field) * 2)
        self.assert_fails(
            records, _DIVERGENCE, rules.RESUMED_METRICS, rank=2, iteration=6
        )

    def test_finds_a_sign_that_is_flipped(self):
        records = record_test_helper.passing()
        step = records.step(1, 3, 6)
        step.lm_loss = -step.lm_loss
        self.assert_fails(
            records, _DIVERGENCE, rules.RESUMED_METRICS, relative=2.0
        )

    def test_finds_the_sign_of_zero(self):
        records = record_test_helper.passing()
        records.series("loss scale").values[5] = 0.0
        for rank in range(record_test_helper.RANKS):
            records.step(1, rank, 6).loss_scale = -0.0
        self.assert_fails(
            records,
            _DIVERGENCE,
            rules.RESUMED_METRICS,
            expected="0.0 (0x0p+0)",
            actual="-0.0 (-0x0p+0)",
            absolute=0.0,
        )

    def test_finds_rounding_to_five_digits(self):
        records = record_test_helper.passing()
        rounded = [
            float(f"{value:.5g}")
            for value in records.series("grad norm").values
        ]
        records.series("grad norm").values[:] = rounded
        self.assert_fails(records, _DRIFT, rules.INTERRUPTED_METRICS)

    def test_nan_on_both_sides_does_not_pass(self):
        records = record_test_helper.passing()
        records.series("grad norm").values[5] = math.nan
        for rank in range(record_test_helper.RANKS):
            records.step(1, rank, 6).grad_norm = math.nan
        self.assert_fails(
            records,
            # A golden with NaN should never have been recorded.
            verdict_pb2.Verdict.STALE_GOLDEN,
            rules.RESUMED_METRICS,
            subject="grad norm",
            expected="nan",
            actual="nan",
        )

    def test_nan_in_the_run_does_not_pass(self):
        records = record_test_helper.passing()
        records.step(1, 3, 6).lm_loss = math.nan
        finding = self.assert_fails(
            records, _DIVERGENCE, rules.RESUMED_METRICS, actual="nan"
        )
        self.assertFalse(finding.HasField("absolute"))
        self.assertFalse(finding.HasField("ulps"))

    def test_finds_values_that_are_right_one_step_later(self):
        records = record_test_helper.passing()
        for iteration in range(8, 4, -1):
            records.step(1, 3, iteration).lm_loss = records.step(
                1, 3, iteration - 1
            ).lm_loss
        self.assert_fails(
            records, _DIVERGENCE, rules.RESUMED_METRICS, rank=3, iteration=5
        )

    def test_finds_a_metric_that_the_run_lacks(self):
        records = record_test_helper.passing()
        for attempt, iterations in ((0, range(1, 5)), (1, range(4, 9))):
            for iteration in iterations:
                records.step(attempt, 1, iteration).ClearField("zeros_in_grad")
        self.assert_fails(
            records,
            _DRIFT,
            rules.INTERRUPTED_METRICS,
            subject="zeros in grad",
            rank=1,
            actual="no value",
        )

    def test_finds_a_group_that_the_golden_lacks(self):
        records = record_test_helper.passing()
        for iteration in range(4, 9):
            records.step(1, 1, iteration).param_groups.add(
                name="new", learning_rate=0.1
            )
        self.assert_fails(
            records,
            _DIVERGENCE,
            rules.RESUMED_METRICS,
            subject='learning rate of group "new"',
            rank=1,
            expected="no value",
            actual="5 values",
        )

    def test_what_was_wrong_before_the_interruption_is_drift(self):
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            records.step(0, rank, 2).grad_norm = 3.0
            for iteration in range(4, 9):
                records.step(1, rank, iteration).grad_norm = 4.0
        self.assert_fails(
            records,
            _DRIFT,
            rules.INTERRUPTED_METRICS,
            attempt=0,
            rank=0,
            iteration=2,
        )


class StateTest(verdict_testing.VerdictTestCase):
    def test_finds_a_saved_state_that_drifted(self):
        records = record_test_helper.passing()
        for digest in (
            records.state(0, 2, run_pb2.StateDigest.SAVED),
            records.state(1, 2, run_pb2.StateDigest.LOADED),
        ):
            digest.entries[0].digest = "bad"
        self.assert_fails(
            records,
            _DRIFT,
            rules.INTERRUPTED_STATE,
            subject="digest of the saved state",
            attempt=0,
            rank=2,
            iteration=3,
            explanation="Some entry of the rank's state is not the golden's.",
        )

    def test_finds_a_state_saved_after_the_resume_that_diverged(self):
        records = record_test_helper.passing()
        records.state(1, 2, run_pb2.StateDigest.SAVED).entries[0].digest = "bad"
        finding = self.assert_fails(
            records,
            _DIVERGENCE,
            rules.RESUMED_STATE,
            attempt=1,
            rank=2,
            iteration=6,
        )
        self.assertEqual(
            wording.expected(finding), records.golden.checkpoints[1].digests[2]
        )

    def test_finds_a_state_that_was_not_saved(self):
        records = record_test_helper.passing()
        records.remove_events(1, 0, "state")
        self.assert_fails(
            records,
            _DIVERGENCE,
            rules.RESUMED_STATE,
            rank=0,
            actual="recorded never",
        )

    def test_finds_a_state_that_the_golden_lacks(self):
        records = record_test_helper.passing()
        del records.golden.checkpoints[1].digests[3]
        verdict = records.judge()
        (finding,) = (
            finding
            for finding in verdict.findings
            if finding.check == rules.RESUMED_STATE.name
        )
        self.assertEqual((finding.rank, finding.iteration), (3, 6))
        self.assertEqual(wording.expected(finding), "one in the golden")

    def test_finds_a_digest_of_another_iteration(self):
        records = record_test_helper.passing()
        records.golden.checkpoints[1].digests[0] = records.golden.checkpoints[
            0
        ].digests[0]
        self.assert_fails(
            records, _DIVERGENCE, rules.RESUMED_STATE, rank=0, iteration=6
        )

    def test_is_not_asked_for_where_nothing_is_saved_after_the_resume(self):
        records = record_test_helper.passing(
            _killed_again(record_test_helper.small_case())
        )
        self.assert_passes(records)
        self.assertNotIn(
            (
                rules.RESUMED_STATE.oracle,
                rules.RESUMED_STATE.of_attempt(1).name,
            ),
            [(check.oracle, check.name) for check in records.judge().checks],
        )


def _killed_again(case: case_pb2.Case) -> case_pb2.Case:
    """The case, with an attempt 1 that ends before it saves."""
    case.interruption.add(
        iteration=5, phase=case_pb2.FORWARD, signal=case_pb2.SIGKILL
    )
    return case


if __name__ == "__main__":
    absltest.main()
