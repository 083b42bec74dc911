"""Tests for steps whose update was skipped."""

from absl.testing import absltest

from regress.oracle import check, record_test_helper, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import summary

_REPLAYED = 4


class SkippedUpdatesTest(verdict_testing.VerdictTestCase):
    def _skip(
        self,
        records: record_test_helper.Records,
        attempt: int,
        iteration: int,
    ) -> None:
        for rank in range(record_test_helper.RANKS):
            records.step(attempt, rank, iteration).updated = False

    def test_a_run_that_skipped_none_says_nothing(self) -> None:
        verdict = record_test_helper.passing().judge()
        self.assertEmpty(verdict.skipped_updates)
        self.assertNotIn("skipped", summary.summarize(verdict))

    def test_a_resume_that_skips_what_attempt_0_did_not(self) -> None:
        records = record_test_helper.passing()
        self._skip(records, 1, _REPLAYED)
        for rank in range(record_test_helper.RANKS):
            records.step(1, rank, _REPLAYED).params_norm = 1.5
        verdict = records.judge()
        self.assertEqual(
            list(verdict.skipped_updates),
            [
                verdict_pb2.SkippedUpdate(
                    attempt=1,
                    iteration=_REPLAYED,
                    ranks=range(record_test_helper.RANKS),
                    updated_in=0,
                )
            ],
        )
        self.assertEndsWith(
            summary.summarize(verdict),
            "; the optimizer skipped the update of iteration 4 in attempt 1 on "
            "ranks 0, 1, 2, 3, and not in attempt 0.",
        )

    def test_a_skip_is_no_fault_of_its_own(self) -> None:
        # An overflow that the golden has, too.
        records = record_test_helper.passing()
        for attempt in (0, 1):
            self._skip(records, attempt, _REPLAYED)
        self.assert_passes(records)
        verdict = records.judge()
        self.assertFalse(verdict.skipped_updates[0].HasField("updated_in"))
        self.assertEndsWith(
            summary.summarize(verdict),
            "; the optimizer skipped the update of iteration 4 in attempt 0 on "
            "ranks 0, 1, 2, 3, and there are others.",
        )

    def test_of_many_the_first_are_kept(self) -> None:
        records = record_test_helper.passing(
            record_test_helper.small_case(iterations=30)
        )
        for iteration in range(_REPLAYED, 31):
            self._skip(records, 1, iteration)
        self.assertEqual(
            [one.iteration for one in records.judge().skipped_updates],
            list(range(_REPLAYED, _REPLAYED + check.SUBJECTS_KEPT)),
        )

    def test_a_repeat_is_named(self) -> None:
        records = record_test_helper.passing()
        repeat = records.add_repeat(_REPLAYED)
        records.all_steps(repeat, 2)[3].updated = False
        (skipped,) = records.judge().skipped_updates
        self.assertTrue(skipped.of_repeat)
        self.assertEqual((skipped.iteration, list(skipped.ranks)), (2, [3]))

    def test_a_trainer_need_not_know(self) -> None:
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            records.step(1, rank, 5).ClearField("updated")
        self.assertEmpty(records.judge().skipped_updates)


if __name__ == "__main__":
    absltest.main()
