"""Tests of verdicts on a terminal."""

import textwrap

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import console

_Verdict = verdict_pb2.Verdict


def _text(block: str) -> str:
    return textwrap.dedent(block).lstrip("\n")


def _finding(**fields: object) -> verdict_pb2.Finding:
    finding = verdict_pb2.Finding(
        oracle=verdict_pb2.GOLDEN,
        check="attempt 1: metrics",
        subject="lm loss",
        expected="1",
        actual="2",
    )
    finding.MergeFrom(verdict_pb2.Finding(**fields))  # type: ignore[arg-type]
    return finding


class RenderTest(parameterized.TestCase):
    def test_renders_a_pass(self):
        verdict = _Verdict(
            conclusion=_Verdict.PASS,
            summary="the resumed run is the run that was never interrupted.",
            checks=[
                verdict_pb2.Check(
                    oracle=verdict_pb2.RESUME_PROOF,
                    name="no rank crashed",
                    compared=8,
                ),
                verdict_pb2.Check(
                    oracle=verdict_pb2.GOLDEN,
                    name="attempt 1: metrics",
                    compared=195,
                ),
            ],
        )
        self.assertEqual(
            console.render(verdict),
            _text("""
                PASS

                The resumed run is the run that was never interrupted.

                oracle         check                                compared  differing
                resume proof   no rank crashed                             8          0  ok
                golden         attempt 1: metrics                        195          0  ok
            """),  # noqa: E501
        )

    def test_renders_a_failure(self):
        verdict = _Verdict(
            conclusion=_Verdict.RESUME_DIVERGENCE,
            summary="the resumed run is not the run that was interrupted.",
            environment_differences=["torch: 2.13.0, golden 2.12.0"],
            checks=[
                verdict_pb2.Check(
                    oracle=verdict_pb2.STATE,
                    name="loaded state is the saved state",
                    compared=28,
                    differing=1,
                ),
                verdict_pb2.Check(
                    oracle=verdict_pb2.REPLAY,
                    name="metrics of steps that ran twice",
                ),
            ],
            findings=[
                verdict_pb2.Finding(
                    oracle=verdict_pb2.STATE,
                    check="loaded state is the saved state",
                    subject="chunk 0/exp_avg/weight",
                    attempt=1,
                    rank=2,
                    iteration=20,
                    expected="4f2d float32[64]",
                    actual="absent",
                    explanation="The piece was not loaded.",
                ),
                _finding(
                    attempt=1,
                    rank=3,
                    iteration=21,
                    expected="6.6 (0x1.a66666p+2)",
                    actual="6.6000004 (0x1.a66668p+2)",
                    absolute=4.76837158203125e-07,
                    relative=7.224805e-08,
                    ulps=1,
                ),
                _finding(subject="attempts", explanation="There are two."),
            ],
        )
        self.assertEqual(
            console.render(verdict, "tools/bazelw test //x"),
            _text("""
                FAIL: resume divergence

                The environment is not the golden's:
                  torch: 2.13.0, golden 2.12.0

                The resumed run is not the run that was interrupted.

                oracle         check                                compared  differing
                state          loaded state is the saved state            28          1  FAIL
                replay         metrics of steps that ran twice             0          0  FAIL

                Findings:
                attempt  rank  iteration  what
                      1     2         20  chunk 0/exp_avg/weight
                         expected    4f2d float32[64]
                         actual      absent
                         The piece was not loaded.
                      1     3         21  lm loss
                         expected    6.6 (0x1.a66666p+2)
                         actual      6.6000004 (0x1.a66668p+2)
                         difference  4.77e-07, relative 7.22e-08, 1 ulp
                      -     -          -  attempts
                         expected    1
                         actual      2
                         There are two.

                next: tools/bazelw test //x
            """),  # noqa: E501
        )

    @parameterized.parameters(
        (
            {"absolute": 0.0, "relative": 0.0, "ulps": 0},
            "0, relative 0, 0 ulps",
        ),
        (
            {"absolute": 1e-9, "relative": 1e-9, "ulps": 0},
            "1e-09, relative 1e-09, <1 ulp",
        ),
        ({"absolute": 2.0, "ulps": 12345678}, "2, 12,345,678 ulps"),
        ({"absolute": 2.0}, "2"),
    )
    def test_says_how_far_apart_numbers_are(self, fields, text):
        rendered = console.render(_Verdict(findings=[_finding(**fields)]))
        self.assertIn(f"         difference  {text}\n", rendered)

    def test_says_nothing_of_a_distance_that_there_is_not(self):
        rendered = console.render(_Verdict(findings=[_finding(actual="nan")]))
        self.assertNotIn("difference ", rendered)

    def test_shows_the_first_findings_of_each_check(self):
        findings = [_finding(iteration=i) for i in range(1, 10)] + [
            _finding(check=f"check {i}", iteration=100 + i) for i in range(20)
        ]
        rendered = console.render(_Verdict(findings=findings))
        self.assertIn(
            "First findings; the table above counts all that differ:", rendered
        )
        self.assertEqual(
            [
                int(line.split()[2])
                for line in rendered.splitlines()
                if line.endswith("lm loss")
            ],
            [1, 2, 3, 4, *range(100, 108)],
        )

    def test_says_an_explanation_once_in_a_row(self):
        findings = [
            _finding(explanation="One."),
            _finding(explanation="One."),
            _finding(explanation="Two."),
        ]
        rendered = console.render(_Verdict(findings=findings))
        self.assertEqual(rendered.count("One."), 1)
        self.assertEqual(rendered.count("Two."), 1)

    def test_keeps_to_80_columns_but_for_the_command(self):
        long = "word " * 50 + "x" * 200
        rendered = console.render(
            _Verdict(
                conclusion=_Verdict.WRONG_ENVIRONMENT,
                summary=long,
                environment_differences=[long],
                findings=[
                    _finding(subject=long, expected=long, explanation=long)
                ],
                checks=[
                    verdict_pb2.Check(
                        oracle=verdict_pb2.PRECONDITIONS,
                        name="x" * 33,
                        compared=10**9,
                        differing=10**8,
                    )
                ],
            ),
            "command " * 20,
        )
        lines = rendered.splitlines()
        self.assertIn(f"next: {'command ' * 20}", lines)
        lines.remove(f"next: {'command ' * 20}")
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_sends_no_control_codes_to_the_terminal(self):
        rendered = console.render(_Verdict(summary="log: \x1b[31mred\x07"))
        self.assertIn("Log: ?[31mred?\n", rendered)

    def test_renders_every_conclusion(self):
        for name in _Verdict.Conclusion.keys():  # noqa: SIM118
            first = console.render(_Verdict(conclusion=name)).split("\n")[0]
            words = name.replace("_", " ").lower()
            self.assertEqual(
                first, "PASS" if name == "PASS" else f"FAIL: {words}"
            )


if __name__ == "__main__":
    absltest.main()
