"""Tests that a verdict which is not the expected one is noticed."""

import dataclasses
from typing import Any

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.testing.faults import expectation, fault

_EXPECTED = fault.Expected(
    "RESUME_DIVERGENCE",
    r"chunk \d/param/.*",
    attempt=1,
    ranks=(1, 2),
    iteration=4,
    summary="of iteration 2",
    known_bug="#4705",
)


def _verdict(**finding: Any) -> verdict_pb2.Verdict:
    return verdict_pb2.Verdict(
        conclusion=verdict_pb2.Verdict.RESUME_DIVERGENCE,
        summary="what rank 2 loaded is of iteration 2.",
        known_bug="Megatron-LM #4705",
        first_bad_iteration=4,
        findings=[
            verdict_pb2.Finding(
                **{
                    "subject": "chunk 0/param/weight",
                    "attempt": 1,
                    "rank": 2,
                    "iteration": 4,
                    **finding,
                }
            ),
            verdict_pb2.Finding(subject="lm loss", rank=3),
        ],
    )


class MismatchesTest(parameterized.TestCase):
    def test_the_expected_verdict_has_none(self) -> None:
        self.assertEqual(expectation.mismatches(_EXPECTED, _verdict()), [])

    @parameterized.parameters(
        ({"subject": "chunk 0/main param/weight"}, "about 'chunk 0/main"),
        ({"subject": "a chunk 0/param/weight"}, "about 'a chunk"),
        ({"attempt": 0}, "attempt is 0, not 1"),
        ({"attempt": None}, "attempt is None, not 1"),
        ({"rank": 0}, "rank is 0, not 1 or 2"),
        ({"rank": None}, "rank is None, not 1 or 2"),
        ({"iteration": 5}, "iteration is 5, not 4"),
        ({"iteration": None}, "iteration is None, not 4"),
    )
    def test_the_first_finding_is_looked_at(
        self, change: dict[str, Any], problem: str
    ) -> None:
        (found,) = expectation.mismatches(_EXPECTED, _verdict(**change))
        self.assertIn(problem, found)

    @parameterized.parameters(
        ({"conclusion": verdict_pb2.Verdict.CRASH}, "conclusion is CRASH"),
        ({"summary": "of iteration 3"}, "summary"),
        ({"known_bug": ""}, "known bug"),
        ({"first_bad_iteration": 5}, "first bad iteration is 5, not 4"),
    )
    def test_the_verdict_is_looked_at(
        self, change: dict[str, Any], problem: str
    ) -> None:
        verdict = _verdict()
        for name, value in change.items():
            setattr(verdict, name, value)
        (found,) = expectation.mismatches(_EXPECTED, verdict)
        self.assertIn(problem, found)

    def test_no_bug_is_known_unless_one_is_expected(self) -> None:
        verdict = _verdict()
        expected = dataclasses.replace(
            _EXPECTED, known_bug=fault.Expected("", "").known_bug
        )
        (found,) = expectation.mismatches(expected, verdict)
        self.assertIn("known bug 'Megatron-LM #4705'", found)
        verdict.known_bug = ""
        self.assertEqual(expectation.mismatches(expected, verdict), [])

    def test_a_first_bad_iteration_must_be_there(self) -> None:
        verdict = _verdict()
        verdict.ClearField("first_bad_iteration")
        (found,) = expectation.mismatches(_EXPECTED, verdict)
        self.assertIn("first bad iteration is None", found)

    def test_a_finding_about_nothing_in_particular(self) -> None:
        expected = fault.Expected("STALE_GOLDEN", "corpus", attempt=None)
        verdict = verdict_pb2.Verdict(
            conclusion=verdict_pb2.Verdict.STALE_GOLDEN,
            findings=[verdict_pb2.Finding(subject="corpus")],
        )
        self.assertEqual(expectation.mismatches(expected, verdict), [])
        verdict.findings[0].rank = 0
        (found,) = expectation.mismatches(expected, verdict)
        self.assertIn("rank is 0, not None", found)

    def test_a_pass_is_no_catch(self) -> None:
        verdict = verdict_pb2.Verdict(conclusion=verdict_pb2.Verdict.PASS)
        self.assertContainsSubset(
            [
                "The conclusion is PASS, not RESUME_DIVERGENCE.",
                "There is no finding.",
            ],
            expectation.mismatches(_EXPECTED, verdict),
        )


if __name__ == "__main__":
    absltest.main()
