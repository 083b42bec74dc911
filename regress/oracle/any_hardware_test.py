"""Tests for verdicts with a golden for hardware `any`."""

import dataclasses
import math

from absl.testing import absltest, parameterized

from regress.golden import bands, series
from regress.oracle import (
    judge,
    observations,
    record_test_helper,
    rules,
    verdict_pb2,
)
from regress.report import wording
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_HARDWARE = "nvidia_l4"
_BAND = 0.02


def _records(hardware: str = _HARDWARE) -> record_test_helper.Records:
    """Returns records of a GPU whose golden allows 2 % in the grad norm."""
    records = record_test_helper.passing()
    for attempt in records.launches:
        for recorded in attempt.ranks:
            for event in recorded.events:
                if event.HasField("started"):
                    event.started.environment.hardware = hardware
    trajectories = series.unfold(records.golden.series)
    for rank in range(record_test_helper.RANKS):
        key = series.Key("grad norm", "", rank)
        trajectories[key] = series.Trajectory(
            trajectories[key].iterations,
            trajectories[key].values * (1 + _BAND / 2),
        )
    records.golden.hardware = "nvidia_h200"
    records.golden.CopyFrom(
        bands.derive(
            records.golden,
            [bands.Variation("other", "nvidia_h100", trajectories)],
        )
    )
    return records


def _judge(
    records: record_test_helper.Records, declared: str = _HARDWARE
) -> verdict_pb2.Verdict:
    target = dataclasses.replace(record_test_helper.TARGET, hardware=declared)
    assert isinstance(target, observations.DeclaredTarget)
    return judge.judge(records.case, records.run, records.golden, target)


def _multiply(
    records: record_test_helper.Records, field: str, factor: float
) -> None:
    """Changes a metric alike in both attempts, as other hardware does."""
    for attempt in records.run.attempts:
        for rank in attempt.ranks:
            for event in rank.events:
                if event.HasField("step") and event.step.HasField(field):
                    value = getattr(event.step, field)
                    setattr(event.step, field, type(value)(value * factor))


class AnyHardwareTest(parameterized.TestCase):
    def assert_concludes(
        self, verdict: verdict_pb2.Verdict, conclusion: int
    ) -> None:
        self.assertEqual(
            _Verdict.Conclusion.Name(verdict.conclusion),
            _Verdict.Conclusion.Name(conclusion),
            str(verdict),
        )

    def test_the_same_values_pass(self) -> None:
        self.assert_concludes(_judge(_records()), _Verdict.PASS)

    def test_a_target_for_any_hardware_takes_every_gpu(self) -> None:
        self.assert_concludes(_judge(_records(), "any"), _Verdict.PASS)

    @parameterized.parameters("none", "")
    def test_a_target_for_any_hardware_takes_no_cpu(self, found: str) -> None:
        # Nor any device that is not known to be a GPU.
        verdict = _judge(_records(found), "any")
        self.assert_concludes(verdict, _Verdict.WRONG_ENVIRONMENT)
        finding = verdict.findings[0]
        self.assertEqual(
            (
                wording.subject(finding),
                wording.expected(finding),
                wording.actual(finding),
            ),
            ("hardware found", "any", found),
        )

    def test_a_cpu_needs_a_golden_of_its_own(self) -> None:
        self.assert_concludes(
            _judge(_records("none"), "none"), _Verdict.WRONG_ENVIRONMENT
        )

    @parameterized.parameters(1 - 0.9 * _BAND, 1 + 0.9 * _BAND)
    def test_a_value_within_its_band_passes(self, factor: float) -> None:
        records = _records()
        _multiply(records, "grad_norm", factor)
        self.assert_concludes(_judge(records), _Verdict.PASS)

    @parameterized.parameters(
        1 - 1.1 * _BAND, 1 + 1.1 * _BAND, -1.0, math.nan, math.inf
    )
    def test_a_value_outside_its_band_is_drift(self, factor: float) -> None:
        records = _records()
        _multiply(records, "grad_norm", factor)
        verdict = _judge(records)
        self.assert_concludes(verdict, _Verdict.NUMERIC_DRIFT)
        self.assertIn(
            " within 0.02 of it", wording.expected(verdict.findings[0])
        )

    def test_a_metric_that_varied_in_no_run_is_exact(self) -> None:
        records = _records()
        _multiply(records, "lm_loss", 1.000001)
        self.assert_concludes(_judge(records), _Verdict.NUMERIC_DRIFT)

    def test_random_streams_may_be_others(self) -> None:
        records = _records()
        _multiply(records, "random_state_digest", 0.5)
        self.assert_concludes(_judge(records), _Verdict.PASS)

    def test_data_may_not(self) -> None:
        records = _records()
        _multiply(records, "data_digest", 0.5)
        self.assert_concludes(_judge(records), _Verdict.NUMERIC_DRIFT)

    def test_rates_are_exact(self) -> None:
        records = _records()
        group = records.step(0, 0, 2).param_groups[0]
        group.learning_rate = math.nextafter(group.learning_rate, 1.0)
        self.assert_concludes(_judge(records), _Verdict.NUMERIC_DRIFT)

    def test_replay_is_exact(self) -> None:
        records = _records()
        step = records.step(1, 0, 4)
        step.grad_norm = math.nextafter(step.grad_norm, math.inf)
        self.assert_concludes(_judge(records), _Verdict.RESUME_DIVERGENCE)

    def test_state_is_exact(self) -> None:
        records = _records()
        loaded = records.state(1, 2, run_pb2.StateDigest.LOADED)
        loaded.entries[1].digest = "0" * 32
        self.assert_concludes(_judge(records), _Verdict.RESUME_DIVERGENCE)

    def test_a_repeat_has_no_states_to_compare_with(self) -> None:
        records = _records()
        records.add_repeat(6)
        verdict = _judge(records)
        self.assert_concludes(verdict, _Verdict.PASS)
        rows = {check.name for check in verdict.checks}
        self.assertIn(rules.REPEAT_METRICS.name, rows)
        self.assertIn(rules.ATTEMPT_STATE_REPEATED.name, rows)
        self.assertNotIn(rules.REPEAT_STATE.name, rows)
        self.assertNotIn(rules.CONTINUED_STATE.name, rows)

    def test_a_band_that_was_not_measured_is_refused(self) -> None:
        records = _records()
        records.golden.bands[-1].relative += 1
        self.assert_concludes(_judge(records), _Verdict.STALE_GOLDEN)

    def test_a_digest_of_state_is_refused(self) -> None:
        records = _records()
        records.golden.checkpoints.add(iteration=3)
        self.assert_concludes(_judge(records), _Verdict.STALE_GOLDEN)


if __name__ == "__main__":
    absltest.main()
