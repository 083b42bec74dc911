"""A test case that looks into verdicts."""

import operator
from collections.abc import Callable, Mapping

from absl.testing import absltest

from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.report import summary, wording

# How the names of the checks that are about one attempt begin.
_OF_ATTEMPT = {0: ("attempt 0", "the repeat"), 1: ("attempt 1",)}
_WORDS: Mapping[str, Callable[[verdict_pb2.Finding], object]] = {
    "subject": wording.subject,
    "expected": wording.expected,
    "actual": wording.actual,
    "explanation": wording.explanation,
}


class VerdictTestCase(absltest.TestCase):
    """Asserts what a verdict says."""

    def assert_passes(self, records: record_test_helper.Records) -> None:
        """All is well, and every check has compared something."""
        verdict = records.judge()
        self.assertEqual(
            verdict.conclusion,
            verdict_pb2.Verdict.PASS,
            summary.summarize(verdict),
        )
        self.assertEmpty(verdict.findings)
        for check in verdict.checks:
            self.assertGreater(check.compared, 0, check.name)
            self.assertEqual(check.differing, 0, check.name)

    def assert_fails(
        self,
        records: record_test_helper.Records,
        conclusion: verdict_pb2.Verdict.Conclusion,
        rule: rules.Rule,
        **finding: object,
    ) -> verdict_pb2.Finding:
        """The verdict is the conclusion, and the check failed.

        Args:
            records: What to judge.
            conclusion: The expected one.
            rule: The check that is expected to have failed, with whatever
                others.
            **finding: Fields of a finding of the check that must be there;
                subject, values and explanation as a report words them.

        Returns:
            The first such finding.
        """
        verdict = records.judge()
        self.assertEqual(
            verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion),
            verdict_pb2.Verdict.Conclusion.Name(conclusion),
            summary.summarize(verdict),
        )
        failed = [
            (check.oracle, check.name)
            for check in verdict.checks
            if check.differing or not check.compared
        ]
        self.assertIn((rule.oracle, rule.name), failed)
        for candidate in verdict.findings:
            self._assert_names_its_attempt(candidate)
        found = [
            candidate
            for candidate in verdict.findings
            if (candidate.oracle, candidate.check) == (rule.oracle, rule.name)
            and all(
                _WORDS.get(field, operator.attrgetter(field))(candidate)
                == value
                for field, value in finding.items()
            )
        ]
        self.assertNotEmpty(
            found, f"No finding has {finding}, but:\n{verdict.findings}"
        )
        return found[0]

    def assert_counts(
        self,
        records: record_test_helper.Records,
        rule: rules.Rule,
        compared: int,
        differing: int,
    ) -> None:
        """The check compared so much, and of that so much differs."""
        self.assertEqual(
            [
                (check.compared, check.differing)
                for check in records.judge().checks
                if (check.oracle, check.name) == (rule.oracle, rule.name)
            ],
            [(compared, differing)],
        )

    def _assert_names_its_attempt(self, finding: verdict_pb2.Finding) -> None:
        for attempt, beginnings in _OF_ATTEMPT.items():
            is_empty = finding.fact.kind == verdict_pb2.Fact.NOTHING_COMPARED
            if finding.check.startswith(beginnings) and not is_empty:
                self.assertTrue(finding.HasField("attempt"), finding)
                self.assertEqual(finding.attempt, attempt, finding)
