"""Tests that differences from the expected verdict are detected."""

import dataclasses
from typing import Any

from absl.testing import absltest, parameterized

from regress.oracle import rules, verdict_pb2
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


def _entry(chunk: int | None, kind: str) -> verdict_pb2.StateEntryKey:
    return verdict_pb2.StateEntryKey(chunk=chunk, kind=kind, name="weight")


def _verdict(**finding: Any) -> verdict_pb2.Verdict:
    return verdict_pb2.Verdict(
        conclusion=verdict_pb2.Verdict.RESUME_DIVERGENCE,
        checks=[
            verdict_pb2.Check(
                oracle=rules.STATE_RESTORED.oracle,
                name=rules.STATE_RESTORED.name,
                compared=9,
                differing=1,
            )
        ],
        restored_state=verdict_pb2.RestoredState(
            origins=[
                verdict_pb2.RestoredOrigin(
                    rank=2, origin=verdict_pb2.StateOrigin(iteration=2)
                )
            ]
        ),
        known_bug=verdict_pb2.KnownBug(report="Megatron-LM #4705"),
        first_bad_iteration=4,
        findings=[
            verdict_pb2.Finding(
                **{
                    "state_entry": _entry(0, "param"),
                    "attempt": 1,
                    "rank": 2,
                    "iteration": 4,
                    **finding,
                }
            ),
            verdict_pb2.Finding(
                metric=verdict_pb2.Metric(name="lm loss"), rank=3
            ),
        ],
    )


class MismatchesTest(parameterized.TestCase):
    def test_the_expected_verdict_has_none(self) -> None:
        self.assertEqual(expectation.mismatches(_EXPECTED, _verdict()), [])

    @parameterized.parameters(
        ({"state_entry": _entry(0, "main param")}, "about 'chunk 0/main"),
        ({"state_entry": _entry(None, "a chunk 0")}, "about 'a chunk"),
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

    def test_the_conclusion_is_looked_at(self) -> None:
        verdict = _verdict()
        verdict.conclusion = verdict_pb2.Verdict.CRASH
        expected = dataclasses.replace(_EXPECTED, summary="")
        (found,) = expectation.mismatches(expected, verdict)
        self.assertIn("conclusion is CRASH", found)

    def test_the_words_are_looked_at(self) -> None:
        verdict = _verdict()
        verdict.restored_state.origins[0].origin.iteration = 3
        (found,) = expectation.mismatches(_EXPECTED, verdict)
        self.assertIn("summary", found)
        verdict = _verdict()
        verdict.ClearField("known_bug")
        (found,) = expectation.mismatches(_EXPECTED, verdict)
        self.assertIn("known bug", found)

    def test_no_bug_is_known_unless_one_is_expected(self) -> None:
        verdict = _verdict()
        expected = dataclasses.replace(
            _EXPECTED, known_bug=fault.Expected("", "").known_bug
        )
        (found,) = expectation.mismatches(expected, verdict)
        self.assertIn("Megatron-LM #4705", found)
        verdict.ClearField("known_bug")
        self.assertEqual(expectation.mismatches(expected, verdict), [])

    def test_a_first_bad_iteration_must_be_there(self) -> None:
        verdict = _verdict()
        verdict.ClearField("first_bad_iteration")
        (found,) = expectation.mismatches(_EXPECTED, verdict)
        self.assertIn("first bad iteration is None", found)

    def test_what_is_bad_after_an_iteration_is_in_none(self) -> None:
        expected = dataclasses.replace(_EXPECTED, iteration=None, after=4)
        verdict = _verdict(iteration=None, after_iteration=4)
        verdict.ClearField("first_bad_iteration")
        verdict.bad_after_iteration = 4
        self.assertEqual(expectation.mismatches(expected, verdict), [])
        self.assertLen(expectation.mismatches(_EXPECTED, verdict), 3)

    def test_a_finding_about_nothing_in_particular(self) -> None:
        expected = fault.Expected("STALE_GOLDEN", "corpus digest", attempt=None)
        verdict = verdict_pb2.Verdict(
            conclusion=verdict_pb2.Verdict.STALE_GOLDEN,
            findings=[
                verdict_pb2.Finding(
                    fact=verdict_pb2.Fact(kind=verdict_pb2.Fact.GOLDEN_CORPUS)
                )
            ],
        )
        self.assertEqual(expectation.mismatches(expected, verdict), [])
        verdict.findings[0].rank = 0
        (found,) = expectation.mismatches(expected, verdict)
        self.assertIn("rank is 0, not None", found)

    def test_a_pass_must_have_a_finding_about_memory(self) -> None:
        cost = verdict_pb2.ResumeCost(attempt=1, rank=2, exceeded_bound=1.2)
        verdict = verdict_pb2.Verdict(
            conclusion=verdict_pb2.Verdict.PASS,
            resume_costs=[verdict_pb2.ResumeCost(attempt=1, rank=1), cost],
        )
        expected = fault.Expected("PASS", "", ranks=(2,))
        self.assertEqual(expectation.mismatches(expected, verdict), [])
        for field, value in (("attempt", 2), ("rank", 3)):
            verdict.resume_costs[1].CopyFrom(cost)
            setattr(verdict.resume_costs[1], field, value)
            (found,) = expectation.mismatches(expected, verdict)
            self.assertIn("not [(1, 2)]", found)
        verdict.resume_costs.pop()
        (found,) = expectation.mismatches(expected, verdict)
        self.assertIn("are [], not [(1, 2)]", found)

    def test_no_memory_may_grow_unless_that_is_expected(self) -> None:
        verdict = _verdict()
        verdict.resume_costs.add(attempt=1, rank=2, exceeded_bound=1.2)
        (found,) = expectation.mismatches(_EXPECTED, verdict)
        self.assertIn("are [(1, 2)], not []", found)

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
