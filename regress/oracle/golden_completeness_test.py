"""Tests for checking that a golden holds its case's whole trajectory."""

import math

from absl.testing import absltest

from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import wording

_OF_METRICS = (
    "The golden has not exactly the case's metrics, each with one number for "
    "every iteration."
)


class GoldenCompletenessTest(verdict_testing.VerdictTestCase):
    def assert_incomplete(
        self, records: record_test_helper.Records, **finding: object
    ) -> None:
        self.assert_fails(
            records,
            verdict_pb2.Verdict.STALE_GOLDEN,
            rules.GOLDEN_COMPLETE,
            **finding,
        )

    def test_rejects_a_golden_of_fewer_or_more_iterations(self):
        for iterations in (7, 9):
            records = record_test_helper.passing()
            records.golden = record_test_helper.golden_of(
                record_test_helper.small_case(iterations=iterations)
            )
            provenance = records.golden.provenance
            provenance.case_fingerprint = records.run.case_fingerprint
            self.assert_incomplete(
                records,
                subject="iterations of the golden",
                expected="8",
                actual=str(iterations),
                explanation="The golden is not a whole trajectory of the case.",
            )

    def test_rejects_a_golden_of_one_run(self):
        records = record_test_helper.passing()
        records.golden.provenance.repeats = 1
        self.assert_incomplete(
            records,
            subject="runs that the golden was recorded from",
            expected="2 or more that agree",
            actual="1",
            explanation="A golden that was made of one run, as of the run "
            "itself, shows nothing.",
        )
        records.golden.provenance.repeats = 2
        self.assert_passes(records)

    def test_rejects_a_golden_of_resumed_runs_alone(self):
        records = record_test_helper.passing()
        provenance = records.golden.provenance
        provenance.interrupted_repeats = provenance.repeats
        self.assert_incomplete(
            records,
            subject="runs of the golden that nobody interrupted",
            expected="1 or more",
            actual=f"0 of {provenance.repeats}",
            explanation="Resumed runs alone may all have the same fault.",
        )
        provenance.interrupted_repeats -= 1
        self.assert_passes(records)

    def test_rejects_a_series_that_is_shorter_or_longer(self):
        for change, actual in (
            (lambda v: v.pop(), "7 numbers, none for iteration 8"),
            (lambda v: v.append(0.0), "9 numbers"),
        ):
            records = record_test_helper.passing()
            change(records.series("grad norm").values)
            self.assert_incomplete(
                records,
                subject="grad norm",
                rank=0,
                expected="8 numbers",
                actual=actual,
                explanation=_OF_METRICS,
            )

    def test_rejects_a_series_that_leaves_iterations_out(self):
        for iterations, actual in (
            # Every third, the resumed half, and as many as there should be.
            ([1, 3, 6], "3 numbers, none for iteration 2"),
            ([5, 6, 7, 8], "4 numbers, none for iteration 1"),
            ([1, 2, 3, 4, 5, 6, 7, 9], "8 numbers, none for iteration 8"),
        ):
            records = record_test_helper.passing()
            for one in records.golden.series:
                one.iterations.extend(iterations)
                del one.values[len(iterations) :]
            self.assert_incomplete(
                records,
                subject="grad norm",
                rank=0,
                expected="8 numbers",
                actual=actual,
                explanation=_OF_METRICS,
            )

    def test_rejects_a_series_that_starts_late(self):
        records = record_test_helper.passing()
        records.series("grad norm").first_iteration = 2
        self.assert_incomplete(
            records, actual="8 numbers, none for iteration 1"
        )

    def test_rejects_a_series_without_an_iteration_for_each_value(self):
        records = record_test_helper.passing()
        records.series("grad norm").iterations.append(1)
        self.assert_incomplete(
            records,
            subject="series of the golden",
            actual="a series of grad norm names 1 iterations, expected one for "
            "each of its 8 values",
        )

    def test_rejects_a_golden_that_was_imported(self):
        records = record_test_helper.passing()
        records.golden.provenance.Clear()
        records.golden.provenance.imported.source = "there"
        self.assert_fails(
            records, verdict_pb2.Verdict.STALE_GOLDEN, rules.GOLDEN_OF_CASE
        )
        self.assert_incomplete(
            records, subject="runs that the golden was recorded from"
        )

    def test_rejects_nan(self):
        records = record_test_helper.passing()
        records.series("lm loss").values[6] = math.nan
        self.assert_incomplete(
            records, actual="7 numbers, and NaN from iteration 7", rank=3
        )

    def test_rejects_a_metric_that_is_absent(self):
        for metric in (
            "lm loss",
            "grad norm",
            "params norm",
            "zeros in grad",
            "loss scale",
            "consumed samples",
            "learning rate",
            "weight decay",
            "elements",
        ):
            records = record_test_helper.passing()
            group = (
                "default"
                if metric
                in (
                    "learning rate",
                    "weight decay",
                    "elements",
                )
                else ""
            )
            records.golden.series.remove(records.series(metric, group))
            self.assert_incomplete(records, actual="no series")

    def test_rejects_a_metric_that_one_rank_lacks(self):
        records = record_test_helper.passing()
        records.series("params norm").ranks.remove(2)
        self.assert_incomplete(
            records,
            subject="params norm",
            rank=2,
            expected="a series",
            actual="no series",
            explanation=_OF_METRICS,
        )

    def test_rejects_a_metric_that_a_param_group_lacks(self):
        records = record_test_helper.passing()
        (lacking,) = (
            one
            for one in records.golden.series
            if (one.metric, one.param_group, list(one.ranks))
            == ("elements", "decoupled", [3])
        )
        records.golden.series.remove(lacking)
        self.assert_incomplete(
            records,
            subject='elements of group "decoupled"',
            rank=3,
            actual="no series",
        )

    def test_rejects_a_metric_of_a_rank_that_cannot_have_it(self):
        records = record_test_helper.passing()
        records.series("lm loss").ranks.append(0)
        self.assert_incomplete(
            records, subject="lm loss", rank=0, expected="no series"
        )

    def test_rejects_an_unknown_metric_and_an_unknown_rank(self):
        records = record_test_helper.passing()
        records.golden.series.add(
            metric="temperature", ranks=[0], values=[1.0] * 8
        )
        self.assert_incomplete(records, subject="temperature", rank=0)
        records = record_test_helper.passing()
        records.series("grad norm").ranks.append(4)
        self.assert_incomplete(
            records,
            subject="grad norm",
            rank=4,
            expected="8 numbers",
            actual="8 numbers for a rank that the case does not have",
        )

    def test_rejects_a_golden_without_param_groups(self):
        records = record_test_helper.passing()
        kept = [one for one in records.golden.series if not one.param_group]
        del records.golden.series[:]
        records.golden.series.extend(kept)
        for rank in range(record_test_helper.RANKS):
            self.assert_incomplete(
                records,
                subject="param groups of the golden",
                rank=rank,
                actual="none",
            )

    def test_rejects_a_golden_that_contradicts_itself(self):
        records = record_test_helper.passing()
        records.golden.series.add().CopyFrom(records.series("grad norm"))
        finding = self.assert_fails(
            records,
            verdict_pb2.Verdict.STALE_GOLDEN,
            rules.GOLDEN_COMPLETE,
            subject="series of the golden",
        )
        self.assertIn("grad norm", wording.actual(finding))

    def test_rejects_bands_of_a_golden_that_is_exact(self):
        records = record_test_helper.passing()
        records.golden.bands.add(metric="grad norm", relative=0.1)
        self.assert_incomplete(
            records,
            subject="bands of the golden",
            expected="bands if it is for any hardware, each as it was measured",
            actual="it is for none and has a band for grad norm, expected "
            "none: only a golden for hardware any has bands",
        )

    def test_asks_for_a_checkpoint_of_every_iteration_that_saves(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(save_interval=1)
        )
        self.assert_passes(records)
        del records.golden.checkpoints[0]
        self.assert_incomplete(
            records,
            subject="checkpoints of the golden",
            expected="1, 2, 3, 4, 5, 6, 7, 8",
            actual="2, 3, 4, 5, 6, 7, 8",
        )

    def test_rejects_a_checkpoint_that_is_absent(self):
        records = record_test_helper.passing()
        del records.golden.checkpoints[1]
        self.assert_incomplete(
            records,
            subject="checkpoints of the golden",
            expected="3, 6, 8",
            actual="3, 8",
        )

    def test_rejects_a_checkpoint_without_a_digest_of_each_rank(self):
        records = record_test_helper.passing()
        del records.golden.checkpoints[0].digests[3]
        self.assert_incomplete(
            records, subject="state digests of the golden", iteration=3
        )
        records = record_test_helper.passing()
        records.golden.checkpoints[1].digests[0] = ""
        self.assert_incomplete(
            records, subject="state digests of the golden", iteration=6
        )


if __name__ == "__main__":
    absltest.main()
