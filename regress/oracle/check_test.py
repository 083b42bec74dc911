"""Tests for counting comparisons and keeping the first findings."""

from absl.testing import absltest

from regress.case import case_pb2
from regress.oracle import check, rules, state_comparison, verdict_pb2
from regress.report import wording

_Fact = verdict_pb2.Fact
_LOSS = verdict_pb2.Metric(name="lm loss")
_CRASH = verdict_pb2.Verdict.CRASH

_NOT_INTERRUPTED = verdict_pb2.Verdict.NOT_INTERRUPTED


class EnumNameTest(absltest.TestCase):
    def test_names_a_value(self):
        self.assertEqual(
            check.enum_name(case_pb2.Phase, case_pb2.BACKWARD), "BACKWARD"
        )

    def test_a_value_of_a_newer_writer_is_told_by_its_number(self):
        self.assertEqual(check.enum_name(case_pb2.Phase, 99), "99")


class CheckTest(absltest.TestCase):
    def test_passes_if_nothing_differs(self):
        result = check.Check(rules.NO_CRASH)
        result.expect(_Fact.EXIT_STATUS, "0", "0")
        outcome = result.outcome()
        self.assertFalse(outcome.failed)
        self.assertEqual(outcome.conclusion, verdict_pb2.Verdict.PASS)
        self.assertEqual(
            outcome.check,
            verdict_pb2.Check(
                oracle=verdict_pb2.RESUME_PROOF,
                name="no rank crashed",
                compared=1,
                conclusion=verdict_pb2.Verdict.PASS,
                differing=0,
            ),
        )
        self.assertEmpty(outcome.findings)

    def test_says_of_a_repeat_that_it_is_one(self) -> None:
        result = check.Check(rules.REPEAT_RAN)
        result.expect(_Fact.RANKS, "0", "1")
        outcome = result.outcome()
        self.assertTrue(outcome.check.of_repeat)
        self.assertTrue(outcome.findings[0].of_repeat)

    def test_finds_a_fact_that_differs(self):
        result = check.Check(rules.NO_CRASH)
        result.expect(_Fact.EXIT_STATUS, "0", "0")
        result.expect(_Fact.EXIT_STATUS, "0", "1", attempt=0, rank=2)
        outcome = result.outcome()
        self.assertTrue(outcome.failed)
        self.assertEqual(outcome.conclusion, _CRASH)
        self.assertEqual((outcome.compared, outcome.differing), (2, 1))
        self.assertEqual(
            list(outcome.findings),
            [
                verdict_pb2.Finding(
                    oracle=verdict_pb2.RESUME_PROOF,
                    check="no rank crashed",
                    fact=_Fact(kind=_Fact.EXIT_STATUS),
                    attempt=0,
                    rank=2,
                    expected=verdict_pb2.Value(text="0"),
                    actual=verdict_pb2.Value(text="1"),
                )
            ],
        )

    def test_explains_nothing_that_nobody_explains(self):
        result = check.Check(rules.NO_CRASH)
        result.find(_LOSS, "1", "2")
        result.expect(_Fact.EXIT_STATUS, "0", "1")
        self.assertEqual(
            [wording.explanation(one) for one in result.outcome().findings],
            ["", ""],
        )

    def test_fails_if_nothing_was_compared(self):
        outcome = check.Check(rules.FINISHED).outcome()
        self.assertTrue(outcome.failed)
        self.assertEqual(outcome.conclusion, verdict_pb2.Verdict.NOT_RESUMED)
        (finding,) = outcome.findings
        self.assertEqual(
            (
                wording.subject(finding),
                wording.expected(finding),
                wording.actual(finding),
            ),
            (rules.FINISHED.name, "something to compare", "nothing"),
        )
        self.assertNotEmpty(wording.explanation(finding))

    def test_nothing_compared_is_no_crash(self):
        outcome = check.Check(rules.NO_CRASH).outcome()
        self.assertEqual(outcome.conclusion, _NOT_INTERRUPTED)

    def test_keeps_the_first_findings_by_iteration_and_all_counts(self):
        result = check.Check(rules.RESUMED_METRICS)
        for iteration in range(5000, 0, -1):
            result.count(1, 1)
            result.find(_LOSS, "1", "2", iteration=iteration)
        result.count(1, 1)
        result.find(verdict_pb2.Metric(name="grad norm"), "there", "absent")
        outcome = result.outcome()
        self.assertEqual((outcome.compared, outcome.differing), (5001, 5001))
        self.assertEqual(
            [finding.iteration for finding in outcome.findings],
            [0, *range(1, check.SUBJECTS_KEPT)],
        )
        self.assertEqual(wording.subject(outcome.findings[0]), "grad norm")

    def test_a_long_wrong_record_costs_no_sort_for_each_finding(self):
        looked_at: list[int] = []

        def order(finding: verdict_pb2.Finding) -> tuple[int, ...]:
            looked_at.append(finding.iteration)
            return (finding.iteration,)

        result = check.Check(rules.RESUMED_METRICS, order)
        for iteration in range(1, 5001):
            result.find(_LOSS, "1", "2", iteration=iteration)
        result.outcome()
        self.assertLess(len(looked_at), 2 * 5000)

    def test_keeps_subjects_on_all_their_ranks(self):
        result = check.Check(rules.STATE_RESTORED, state_comparison.by_cause)
        names = [f"weight {number:03}" for number in range(500)]
        for rank in range(4):
            for name in names:
                result.count(1, 1)
                result.find(
                    verdict_pb2.StateEntryKey(kind="exp_avg", name=name),
                    "there",
                    check.ABSENT,
                    attempt=1,
                    rank=rank,
                    iteration=20,
                )
        found = [
            (finding.state_entry.name, finding.rank)
            for finding in result.outcome().findings
        ]
        self.assertEqual(
            found,
            [
                (name, rank)
                for name in names[: check.SUBJECTS_KEPT]
                for rank in range(4)
            ],
        )

    def test_the_last_rank_may_have_the_first_subject(self):
        result = check.Check(rules.STATE_RESTORED, state_comparison.by_cause)
        for rank, kind in ((0, "rng"), (1, "rng"), (3, "scheduler")):
            result.find(
                verdict_pb2.StateEntryKey(kind=kind), "1", "2", rank=rank
            )
        result.count(3, 3)
        self.assertEqual(
            [one.rank for one in result.outcome().findings], [3, 0, 1]
        )


if __name__ == "__main__":
    absltest.main()
