"""Tests for expectation.py."""

from absl.testing import absltest

from regress.oracle import verdict_pb2
from regress.testing.client_faults import expectation

_Verdict = verdict_pb2.Verdict

_DIVERGED = _Verdict(
    conclusion=_Verdict.RESUME_DIVERGENCE,
    first_bad_iteration=17,
    findings=[
        verdict_pb2.Finding(metric=verdict_pb2.Metric(name="batch"), rank=1)
    ],
)
_EXPECTED = expectation.Expected("RESUME_DIVERGENCE", "batch", "1", "17")


class ExpectationTest(absltest.TestCase):
    def test_describes_a_verdict(self) -> None:
        self.assertEqual(expectation.describe(_DIVERGED), _EXPECTED)
        self.assertEqual(
            expectation.describe(_Verdict(conclusion=_Verdict.PASS)),
            expectation.Expected("PASS", "", "", ""),
        )

    def test_what_is_expected_is_no_mismatch(self) -> None:
        self.assertEmpty(list(expectation.mismatches(_EXPECTED, _DIVERGED)))

    def test_names_each_difference(self) -> None:
        self.assertEqual(
            list(
                expectation.mismatches(
                    expectation.Expected("PASS", "", "", ""), _DIVERGED
                )
            ),
            [
                "conclusion: expected PASS, actual RESUME_DIVERGENCE",
                "culprit: expected none, actual batch",
                "rank: expected none, actual 1",
                "first_bad: expected none, actual 17",
            ],
        )


if __name__ == "__main__":
    absltest.main()
