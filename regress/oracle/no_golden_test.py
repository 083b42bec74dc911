"""Tests for verdicts without a golden."""

from absl.testing import absltest, parameterized

from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.report import summary
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
# The iteration that both attempts run.
_REPLAYED = 4


def _diverged(repeated_loss: float | None) -> record_test_helper.Records:
    """Returns records of a replay that differs, with a repeat of attempt 0.

    Args:
        repeated_loss: The repeat's loss; None for that of attempt 0.
    """
    records = record_test_helper.passing()
    records.step(1, 3, _REPLAYED).lm_loss += 0.5
    repeat = records.add_repeat(_REPLAYED)
    if repeated_loss is not None:
        records.all_steps(repeat, _REPLAYED)[3].lm_loss = repeated_loss
    return records


class NoGoldenTest(parameterized.TestCase):
    def test_a_good_run_passes_and_says_what_that_leaves_out(self) -> None:
        verdict = record_test_helper.passing().judge_without_golden()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        self.assertEndsWith(
            summary.summarize(verdict),
            " comparisons, none differs; no trajectory was compared with a "
            "golden, as there is none, so the iterations that ran once are "
            "not judged.",
        )
        self.assertEmpty(verdict.environment_differences)
        for check in verdict.checks:
            self.assertGreater(check.compared, 0, check.name)

    def test_only_the_checks_of_the_golden_are_absent(self) -> None:
        records = record_test_helper.passing()
        names = [check.name for check in records.judge().checks]
        kept = [check.name for check in records.judge_without_golden().checks]
        self.assertEqual(
            [name for name in names if name not in kept],
            [
                rules.GOLDEN_OF_CASE.name,
                rules.GOLDEN_OF_PACKAGES.name,
                rules.GOLDEN_COMPLETE.name,
                rules.INTERRUPTED_METRICS.name,
                rules.INTERRUPTED_STATE.name,
                rules.RESUMED_METRICS.name,
                rules.RESUMED_STATE.name,
                rules.READ_BACK_GOLDEN.name,
            ],
        )

    def test_a_run_of_nothing_does_not_pass(self) -> None:
        records = record_test_helper.passing()
        del records.run.attempts[:]
        verdict = records.judge_without_golden()
        self.assertEqual(verdict.conclusion, _Verdict.NOT_INTERRUPTED)

    def test_other_hardware_is_still_the_wrong_one(self) -> None:
        records = record_test_helper.passing()
        started = records.rank(1, 2).events[0].started
        started.environment.hardware = "nvidia_h200"
        verdict = records.judge_without_golden()
        self.assertEqual(verdict.conclusion, _Verdict.WRONG_ENVIRONMENT)

    def test_a_wrong_state_is_a_divergence(self) -> None:
        records = record_test_helper.passing()
        records.state(1, 0, run_pb2.StateDigest.LOADED).entries[0].digest = "x"
        verdict = records.judge_without_golden()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertFalse(verdict.HasField("repeat_through"))

    def test_a_replay_that_differs_hangs_on_a_repeat(self) -> None:
        records = record_test_helper.passing()
        records.step(1, 3, _REPLAYED).lm_loss += 0.5
        verdict = records.judge_without_golden()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertEqual(verdict.repeat_through, _REPLAYED)

    @parameterized.parameters(
        (None, _Verdict.RESUME_DIVERGENCE), (1.5, _Verdict.NONDETERMINISM)
    )
    def test_the_repeat_tells_whether_training_is_deterministic(
        self,
        repeated_loss: float | None,
        conclusion: verdict_pb2.Verdict.Conclusion,
    ) -> None:
        verdict = _diverged(repeated_loss).judge_without_golden()
        self.assertEqual(verdict.conclusion, conclusion)
        self.assertEqual(verdict.first_bad_iteration, _REPLAYED)

    def test_says_what_the_repeat_was_the_same_as(self) -> None:
        said = summary.summarize(_diverged(None).judge_without_golden())
        self.assertIn(
            "gave the same numbers as attempt 0, and the loaded state is", said
        )

    def test_wrong_samples_of_attempt_0_are_no_word_of_a_golden(self) -> None:
        records = record_test_helper.passing()
        records.step(0, 0, 2).consumed_samples += 1
        verdict = records.judge_without_golden()
        self.assertEqual(verdict.conclusion, _Verdict.NUMERIC_DRIFT)
        self.assertStartsWith(
            summary.summarize(verdict),
            "the numbers were wrong before anything was resumed; consumed "
            "samples of attempt 0 on rank 0 at iteration 2: ",
        )
        self.assertNotIn("golden", summary.summarize(verdict))


if __name__ == "__main__":
    absltest.main()
