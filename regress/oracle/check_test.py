"""Tests of counting, of keeping the first findings, and of words for them."""

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import check, rules, verdict_pb2

_CRASH = verdict_pb2.Verdict.CRASH

_NOT_INTERRUPTED = verdict_pb2.Verdict.NOT_INTERRUPTED


class CheckTest(absltest.TestCase):
    def test_passes_if_nothing_differs(self):
        result = check.Check(rules.NO_CRASH)
        result.expect("exit", "0", "0")
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
        self.assertEqual(outcome.note, "")

    def test_finds_a_fact_that_differs(self):
        result = check.Check(rules.NO_CRASH)
        result.expect("exit", "0", "0")
        result.expect("exit", "0", "1", attempt=0, rank=2, explanation="Why.")
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
                    subject="exit",
                    attempt=0,
                    rank=2,
                    expected="0",
                    actual="1",
                    explanation="Why.",
                )
            ],
        )

    def test_explains_nothing_that_nobody_explains(self):
        result = check.Check(rules.NO_CRASH)
        result.find("lm loss", "1", "2")
        result.expect("exit", "0", "1")
        self.assertEqual(
            [one.explanation for one in result.outcome().findings], ["", ""]
        )

    def test_fails_if_nothing_was_compared(self):
        outcome = check.Check(rules.FINISHED).outcome()
        self.assertTrue(outcome.failed)
        self.assertEqual(outcome.conclusion, verdict_pb2.Verdict.NOT_RESUMED)
        (finding,) = outcome.findings
        self.assertEqual(
            (finding.subject, finding.expected, finding.actual),
            (rules.FINISHED.name, "something to compare", "nothing"),
        )
        self.assertNotEmpty(finding.explanation)

    def test_nothing_compared_is_no_crash(self):
        outcome = check.Check(rules.NO_CRASH).outcome()
        self.assertEqual(outcome.conclusion, _NOT_INTERRUPTED)

    def test_keeps_the_first_findings_by_iteration_and_all_counts(self):
        result = check.Check(rules.RESUMED_METRICS)
        for iteration in range(5000, 0, -1):
            result.count(1, 1)
            result.find("lm loss", "1", "2", iteration=iteration)
        result.count(1, 1)
        result.find("grad norm", "there", "absent")
        outcome = result.outcome()
        self.assertEqual((outcome.compared, outcome.differing), (5001, 5001))
        self.assertEqual(
            [finding.iteration for finding in outcome.findings],
            [0, *range(1, check.FINDINGS_KEPT)],
        )
        self.assertEqual(outcome.findings[0].subject, "grad norm")


class WordingTest(parameterized.TestCase):
    @parameterized.parameters(([], "none"), ([0], "0"), ([3, 1, 2], "3, 1, 2"))
    def test_numbers_are_listed_in_their_order(self, values, text):
        self.assertEqual(check.numbers(values), text)

    @parameterized.parameters(
        ([], "ranks none"), ([2], "rank 2"), ([0, 3], "ranks 0, 3")
    )
    def test_ranks_are_named(self, values, text):
        self.assertEqual(check.ranks(values), text)
        self.assertEqual(check.ranks(iter(values)), text)

    @parameterized.parameters(
        (0, "never"), (1, "once"), (2, "2 times"), (30, "30 times")
    )
    def test_times_are_counted(self, count, text):
        self.assertEqual(check.times(count), text)

    @parameterized.parameters(
        (case_pb2.SIGKILL, "SIGKILL"),
        # Of a newer writer.
        (99, "99"),
    )
    def test_a_value_has_its_name_or_its_number(self, value, text):
        self.assertEqual(check.enum_name(case_pb2.Signal, value), text)


if __name__ == "__main__":
    absltest.main()
