"""Tests of the section of facts."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import fact_section


def _finding(
    check: str, iteration: int, **fields: object
) -> verdict_pb2.Finding:
    finding = verdict_pb2.Finding(
        oracle=verdict_pb2.RESUME_PROOF,
        check=check,
        subject="step",
        iteration=iteration,
    )
    finding.MergeFrom(verdict_pb2.Finding(**fields))  # type: ignore[arg-type]
    return finding


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
            _finding(f"check {iteration}", iteration, explanation=text)
            for iteration, text in enumerate(("One.", "One.", "Two.", "One."))
        ]
        lines = fact_section.render(findings, verdict_pb2.Verdict())
        self.assertEqual(
            [line.strip() for line in lines if line.endswith(".")],
            ["One.", "Two.", "One."],
        )

    def test_does_not_say_again_what_the_summary_says(self):
        finding = _finding("steps", 4, explanation="It starts over.")
        lines = fact_section.render(
            [finding],
            verdict_pb2.Verdict(summary="a step; It starts over; so what."),
        )
        self.assertNotIn("It starts over", "".join(lines))

    def test_a_fact_of_nowhere_is_its_subject(self):
        lines = fact_section.render(
            [verdict_pb2.Finding(subject="attempts", expected="2", actual="1")],
            verdict_pb2.Verdict(),
        )
        self.assertEqual(
            lines,
            [
                "What was found:",
                "  attempts",
                "    expected  2",
                "    actual    1",
            ],
        )


if __name__ == "__main__":
    absltest.main()
