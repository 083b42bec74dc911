"""Tests of names in the full record."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import record_names


class ShortenTest(parameterized.TestCase):
    @parameterized.parameters(
        (
            "its log /a/b-c/test.outputs/attempt_0/rank_12.log ends in: no.",
            "its log attempt_0/rank_12.log ends in: no.",
        ),
        (
            "log /a/repeat/attempt_0/rank_1.log; log /b/attempt_1/rank_2.log.",
            "log repeat/attempt_0/rank_1.log; log attempt_1/rank_2.log.",
        ),
        # Other paths are nothing to do with the record.
        (
            "no such file: /a/attempt_0/b.log",
            "no such file: /a/attempt_0/b.log",
        ),
        ("attempt_0/rank_1.log", "attempt_0/rank_1.log"),
    )
    def test_names_logs_as_the_record_does(self, text, short):
        verdict = verdict_pb2.Verdict(
            conclusion=verdict_pb2.Verdict.CRASH,
            summary=text,
            findings=[
                verdict_pb2.Finding(subject="x", explanation=text),
                verdict_pb2.Finding(explanation=text),
            ],
        )
        shortened = record_names.shorten(verdict)
        self.assertEqual(shortened.summary, short)
        self.assertEqual(
            [finding.explanation for finding in shortened.findings],
            [short, short],
        )
        # Nothing else changes, and not the verdict itself.
        self.assertEqual(shortened.findings[0].subject, "x")
        self.assertEqual(shortened.conclusion, verdict.conclusion)
        self.assertEqual(verdict.summary, text)


if __name__ == "__main__":
    absltest.main()
