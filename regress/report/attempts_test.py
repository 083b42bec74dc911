"""Tests of which attempt a finding is about."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import attempts


class AttemptsTest(parameterized.TestCase):
    @parameterized.parameters(
        ("no rank crashed", 1, "attempt 1", "attempt_1"),
        ("attempt 0: metrics", 0, "attempt 0", "attempt_0"),
        ("attempt 1 and the repeat: metrics", 1, "attempt 1", "attempt_1"),
        (
            "the repeat got far enough",
            0,
            "the repeat of attempt 0",
            "repeat/attempt_0",
        ),
        (
            "attempt 0 repeated: metrics",
            0,
            "the repeat of attempt 0",
            "repeat/attempt_0",
        ),
    )
    def test_is_told_by_the_check(self, check, attempt, name, folder):
        finding = verdict_pb2.Finding(check=check, attempt=attempt)
        self.assertEqual(attempts.name(finding), name)
        self.assertEqual(attempts.folder(finding), folder)

    def test_a_finding_may_name_no_attempt(self):
        self.assertEqual(attempts.name(verdict_pb2.Finding()), "")


if __name__ == "__main__":
    absltest.main()
