"""Tests of the section of facts."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import fact_section, summary
from regress.report import finding_test_helper as helper

_Fact = verdict_pb2.Fact


def _finding(
    check: str, iteration: int, **fields: object
) -> verdict_pb2.Finding:
    wanted: dict[str, object] = {
        "oracle": verdict_pb2.RESUME_PROOF,
        "check": check,
        "subject": _Fact.EXIT_STATUS,
        "iteration": iteration,
    }
    return helper.make(**(wanted | fields))  # type: ignore[arg-type]


def _shown(
    findings: list[verdict_pb2.Finding],
    verdict: list[verdict_pb2.Finding] | None = None,
) -> list[int]:
    """The iterations of the findings that are shown."""
    lines = fact_section.render(
        findings, verdict_pb2.Verdict(findings=verdict or findings)
    )
    return [int(line.split()[-1]) for line in lines if "iteration" in line]


class FactSectionTest(parameterized.TestCase):
    def test_the_check_that_found_the_cause_says_most(self):
        findings = [
            _finding(check, iteration)
            for check, first in (("cause", 1), ("another", 11), ("third", 21))
            for iteration in range(first, first + 5)
        ]
        self.assertEqual(_shown(findings), [1, 2, 3, 11, 21])

    def test_no_check_says_most_if_the_cause_is_no_fact(self):
        cause = verdict_pb2.Finding(oracle=verdict_pb2.STATE, check="state")
        findings = [_finding("steps", iteration) for iteration in (1, 2)]
        self.assertEqual(_shown(findings, [cause, *findings]), [1])

    @parameterized.parameters(verdict_pb2.REPLAY, verdict_pb2.GOLDEN)
    def test_what_follows_in_the_saved_state_is_left_to_the_table(
        self, oracle: verdict_pb2.Oracle
    ) -> None:
        cause = verdict_pb2.Finding(oracle=verdict_pb2.STATE, check="state")
        finding = _finding("saved state", 6, oracle=oracle)
        self.assertEmpty(
            fact_section.render(
                [finding], verdict_pb2.Verdict(findings=[cause, finding])
            )
        )
        self.assertEqual(_shown([finding]), [6])

    def test_many_checks_say_no_more_than_fits(self):
        findings = [
            _finding(f"check {iteration}", iteration) for iteration in range(9)
        ]
        self.assertEqual(_shown(findings), [0, 1, 2, 3, 4, 5])

    def test_says_an_explanation_once_in_a_row(self):
        findings = [
            _finding(f"check {iteration}", iteration, end=helper.said(text))
            for iteration, text in enumerate(("1st.", "1st.", "2nd.", "1st."))
        ]
        lines = fact_section.render(findings, verdict_pb2.Verdict())
        self.assertEqual(
            [line.split()[-1] for line in lines if line.endswith(".")],
            ["1st.", "2nd.", "1st."],
        )

    def test_does_not_say_again_what_the_summary_says(self):
        finding = _finding("steps", 4, end=helper.said("It starts over."))
        verdict = verdict_pb2.Verdict(
            conclusion=verdict_pb2.Verdict.CRASH, findings=[finding]
        )
        self.assertIn("It starts over", summary.summarize(verdict))
        lines = fact_section.render([finding], verdict)
        self.assertNotIn("It starts over", "".join(lines))

    def test_a_fact_of_nowhere_is_its_subject(self):
        lines = fact_section.render(
            [helper.make(_Fact.GOLDEN_CHECKPOINTS, "2", "1")],
            verdict_pb2.Verdict(),
        )
        self.assertEqual(
            lines,
            [
                "What was found:",
                "  checkpoints of the golden",
                "    expected  2",
                "    actual    1",
            ],
        )


if __name__ == "__main__":
    absltest.main()
