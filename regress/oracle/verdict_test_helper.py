"""A base class for tests that check verdicts."""

from collections.abc import Callable, Mapping

from absl.testing import absltest

from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.report import summary, wording

# The prefixes of check names that are about one attempt, by its index.
_OF_ATTEMPT = {0: ("attempt 0", "the repeat"), 1: ("attempt 1",)}
_WORDS: Mapping[str, Callable[[verdict_pb2.Finding], object]] = {
    "subject": wording.subject,
    "expected": wording.expected,
    "actual": wording.actual,
    "explanation": wording.explanation,
}


def _value(finding: verdict_pb2.Finding, field: str) -> object:
    """Returns a field, or the words for it; None for a field without a value.

    Rank 0 of attempt 0 is not the same as no rank of no attempt.
    """
    if field in _WORDS:
        return _WORDS[field](finding)
    value: object = getattr(finding, field)
    if finding.DESCRIPTOR.fields_by_name[field].has_presence:
        return value if finding.HasField(field) else None
    return value


class VerdictTestCase(absltest.TestCase):
    """A test case with assertions about verdicts."""

    def assert_passes(self, records: record_test_helper.Records) -> None:
        """Asserts that records pass and that every check compared something."""
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
        """Asserts that records fail with a conclusion, a check and a finding.

        Args:
            records: The records to judge.
            conclusion: The expected conclusion.
            rule: The check that must fail. Others may fail, too.
            **finding: Fields that some finding of the check must have. Subject,
                values and explanation are worded as in a report.

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
                _value(candidate, field) == value
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
        """Asserts how much a check compared, and how much of it differs."""
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
