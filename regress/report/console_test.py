"""Tests for rendering verdicts for a terminal."""

from absl.testing import absltest, parameterized

from regress.oracle import rules, verdict_pb2
from regress.report import console, next_steps
from regress.report import finding_test_helper as helper

_Verdict = verdict_pb2.Verdict
_RESTORED = rules.STATE_RESTORED.name


def _finding(**fields: object) -> verdict_pb2.Finding:
    return helper.make(**fields)  # type: ignore[arg-type]


def _known_bug(words: str) -> verdict_pb2.KnownBug:
    return verdict_pb2.KnownBug(
        exchanged=verdict_pb2.GroupCollision(taker=words)
    )


class RenderTest(parameterized.TestCase):
    def test_renders_every_conclusion(self):
        for name in _Verdict.Conclusion.keys():  # noqa: SIM118
            first = console.render(_Verdict(conclusion=name)).split("\n")[0]
            words = name.replace("_", " ").lower()
            self.assertEqual(
                first, "PASS" if name == "PASS" else f"FAIL: {words}"
            )

    @parameterized.parameters(
        ((), "first bad iteration: 5"),
        (
            ({"iteration": 4, "rank": 1, "attempt": 1},),
            "first bad iteration: 5",
        ),
        (
            (
                {"rank": 0, "attempt": 0},
                {"iteration": 5, "rank": 3, "attempt": 1},
                {"iteration": 5, "rank": 2, "attempt": 1},
            ),
            "first bad iteration: 5, on ranks 2, 3, in attempt 1",
        ),
        (({"iteration": 5},), "first bad iteration: 5"),
        (
            (
                {
                    "of_repeat": True,
                    "iteration": 5,
                    "rank": 0,
                    "attempt": 0,
                },
            ),
            "first bad iteration: 5, on rank 0, in the repeat of attempt 0",
        ),
    )
    def test_says_where_it_began(self, findings, line):
        verdict = _Verdict(
            first_bad_iteration=5,
            findings=[_finding(**fields) for fields in findings],
        )
        self.assertEqual(console.render(verdict).split("\n")[1], line)

    def test_says_that_it_began_after_the_last_iteration(self) -> None:
        verdict = _Verdict(
            bad_after_iteration=8,
            findings=[
                _finding(iteration=8, rank=0, attempt=1),
                _finding(after_iteration=8, rank=3, attempt=1),
            ],
        )
        self.assertEqual(
            console.render(verdict).split("\n")[1],
            "first bad: after iteration 8, on rank 3, in attempt 1",
        )

    def test_says_how_to_unpack_the_record_unless_a_step_does(self):
        for command, times in (("a", 1), ("unpack && a", 0)):
            steps = (next_steps.Step("To see:", command),)
            lines = console.render(
                _Verdict(), next_steps.NextSteps(steps, "x.zip", "unpack")
            ).splitlines()
            self.assertEqual(lines.count("unpack"), times)
            self.assertEqual(lines.count("To unpack it:"), times)

    def test_names_the_curves_where_they_will_be(self) -> None:
        text = console.render(
            _Verdict(), next_steps.NextSteps((), "x.zip", "unpack", "/tmp/x")
        )
        self.assertIn("Then open the curves: /tmp/x/report.html\n", text)

    def test_lists_what_the_record_has(self) -> None:
        for contents, listed in (
            ((), ["report.html"]),
            (("repeat", "attempt_1"), ["report.html", "attempt_", "repeat/"]),
        ):
            text = console.render(
                _Verdict(),
                next_steps.NextSteps((), "/outputs", contents=contents),
            )
            lines = text.partition("Full record: /outputs\n")[2].splitlines()
            self.assertLen(lines, len(listed))
            for line, name in zip(lines, listed, strict=True):
                self.assertStartsWith(line.strip(), name)

    def test_the_section_with_the_first_finding_is_the_first(self):
        fact = _finding(
            oracle=verdict_pb2.RESUME_PROOF, subject=verdict_pb2.Fact.STEP
        )
        state = _finding(
            oracle=verdict_pb2.STATE,
            check=_RESTORED,
            subject=helper.entry("entry"),
        )
        for findings in ([fact, state], [state, fact]):
            text = console.render(_Verdict(findings=findings))
            self.assertEqual(
                text.index("step") < text.index("entry, "),
                findings[0] is fact,
            )

    def test_a_check_without_data_is_told_by_the_table_alone(self):
        name = "attempt 1: every step once"
        verdict = _Verdict(
            conclusion=_Verdict.CRASH,
            checks=[
                verdict_pb2.Check(
                    oracle=verdict_pb2.RESUME_PROOF,
                    name=name,
                    conclusion=_Verdict.NOT_RESUMED,
                )
            ],
            findings=[
                _finding(
                    oracle=verdict_pb2.RESUME_PROOF,
                    check=name,
                    subject=verdict_pb2.Fact.NOTHING_COMPARED,
                )
            ],
        )
        self.assertNotIn("What was found", console.render(verdict))
        # If no other check decided, the finding is all there is to show.
        verdict.conclusion = _Verdict.NOT_RESUMED
        self.assertIn("What was found", console.render(verdict))

    def test_keeps_to_80_columns_but_for_commands_and_paths(self):
        long = "word " * 50 + "x" * 200
        unbroken = ["command " * 20, "path/" * 20, "unpack " * 20]
        state = {
            "oracle": verdict_pb2.STATE,
            "check": _RESTORED,
            "iteration": 10**6,
            "rank": 10**3,
        }
        number = {
            "oracle": verdict_pb2.GOLDEN,
            "iteration": 10**6,
            "rank": 10**3,
        }
        verdict = _Verdict(
            conclusion=_Verdict.WRONG_ENVIRONMENT,
            known_bug=_known_bug(long),
            environment_differences=[
                verdict_pb2.EnvironmentDifference(name=long)
            ],
            findings=[
                _finding(subject=long, expected=long, end=helper.said(long)),
                _finding(
                    **state,
                    subject=helper.entry(long),
                    expected=long,
                    end=helper.said(long),
                ),
                _finding(
                    **number,
                    check="x" * 100,
                    subject=helper.metric(long),
                    expected=-1.7976931348623157e308,
                    actual=1.7976931348623157e308,
                    absolute=1.234e-100,
                    relative=1.234e100,
                    ulps=2**20,
                ),
            ],
            checks=[
                verdict_pb2.Check(
                    oracle=verdict_pb2.PRECONDITIONS,
                    name="x" * 31,
                    compared=9_999_999,
                    differing=9_999_999,
                    conclusion=_Verdict.CRASH,
                ),
            ],
        )
        text = console.render(
            verdict,
            next_steps.NextSteps(
                (next_steps.Step(long, unbroken[0]),), unbroken[1], unbroken[2]
            ),
        )
        lines = text.splitlines()
        for whole in unbroken:
            (line,) = (line for line in lines if whole in line)
            lines.remove(line)
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_sends_no_control_codes_to_the_terminal(self):
        escape = "log: \x1b[31mred\x07"
        rendered = console.render(
            _Verdict(
                conclusion=_Verdict.CRASH,
                known_bug=_known_bug(escape),
                environment_differences=[
                    verdict_pb2.EnvironmentDifference(name=escape)
                ],
                findings=[
                    _finding(
                        oracle=oracle,
                        check=check,
                        iteration=1,
                        subject=subject,
                        expected=escape,
                        actual=escape,
                        end=helper.said(escape),
                    )
                    for oracle, check, subject in (
                        (verdict_pb2.RESUME_PROOF, escape, escape),
                        (verdict_pb2.STATE, _RESTORED, helper.entry(escape)),
                        (verdict_pb2.GOLDEN, escape, helper.metric(escape)),
                    )
                ],
            )
        )
        self.assertNotIn("\x1b", rendered)
        self.assertNotIn("\x07", rendered)
        self.assertIn("actual log: ?[31mred?;", " ".join(rendered.split()))


if __name__ == "__main__":
    absltest.main()
