"""Tests for rendering findings in sections."""

from collections.abc import Mapping, Sequence

from absl.testing import absltest, parameterized

from regress.oracle import rules, verdict_pb2
from regress.report import finding_sections, summary
from regress.report import finding_test_helper as helper

_Kind = finding_sections.Kind


class ClassifyTest(parameterized.TestCase):
    @parameterized.parameters(
        (verdict_pb2.PRECONDITIONS, _Kind.FACT, _Kind.FACT),
        (verdict_pb2.RESUME_PROOF, _Kind.FACT, _Kind.FACT),
        (verdict_pb2.STATE, _Kind.FACT, _Kind.STATE),
        (verdict_pb2.REPLAY, _Kind.VALUE, _Kind.FACT),
        (verdict_pb2.GOLDEN, _Kind.VALUE, _Kind.FACT),
    )
    def test_depends_on_the_oracle(self, oracle, of_metric, of_entry):
        for subject, kind in (
            (helper.metric(), of_metric),
            (helper.entry("rng"), of_entry),
            (verdict_pb2.Fact.STATE_DIGEST, _Kind.FACT),
            (verdict_pb2.Fact.NOTHING_COMPARED, _Kind.FACT),
        ):
            finding = helper.make(subject, oracle=oracle, iteration=4)
            self.assertEqual(finding_sections.classify(finding), kind)


def _facts(
    findings: Sequence[verdict_pb2.Finding], verdict: verdict_pb2.Verdict
) -> list[str]:
    return finding_sections.render_section(_Kind.FACT, findings, verdict)


def _states(
    findings: Sequence[verdict_pb2.Finding], verdict: verdict_pb2.Verdict
) -> list[str]:
    return finding_sections.render_section(_Kind.STATE, findings, verdict)


def _values(
    findings: Sequence[verdict_pb2.Finding], verdict: verdict_pb2.Verdict
) -> list[str]:
    return finding_sections.render_section(_Kind.VALUE, findings, verdict)


_Fact = verdict_pb2.Fact


def _fact(check: str, iteration: int, **fields: object) -> verdict_pb2.Finding:
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
    """Returns the iterations of the findings that are shown."""
    lines = _facts(findings, verdict_pb2.Verdict(findings=verdict or findings))
    return [int(line.split()[-1]) for line in lines if "iteration" in line]


class FactsTest(parameterized.TestCase):
    def test_the_check_that_found_the_cause_says_most(self):
        findings = [
            _fact(check, iteration)
            for check, first in (("cause", 1), ("another", 11), ("third", 21))
            for iteration in range(first, first + 5)
        ]
        self.assertEqual(_shown(findings), [1, 2, 3, 11, 21])

    def test_no_check_says_most_if_the_cause_is_no_fact(self):
        cause = verdict_pb2.Finding(oracle=verdict_pb2.STATE, check="state")
        findings = [_fact("steps", iteration) for iteration in (1, 2)]
        self.assertEqual(_shown(findings, [cause, *findings]), [1])

    @parameterized.parameters(verdict_pb2.REPLAY, verdict_pb2.GOLDEN)
    def test_what_follows_in_the_saved_state_is_left_to_the_table(
        self, oracle: verdict_pb2.Oracle
    ) -> None:
        cause = verdict_pb2.Finding(oracle=verdict_pb2.STATE, check="state")
        finding = _fact("saved state", 6, oracle=oracle)
        self.assertEmpty(
            _facts([finding], verdict_pb2.Verdict(findings=[cause, finding]))
        )
        self.assertEqual(_shown([finding]), [6])

    def test_many_checks_say_no_more_than_fits(self):
        findings = [
            _fact(f"check {iteration}", iteration) for iteration in range(9)
        ]
        self.assertEqual(_shown(findings), [0, 1, 2, 3, 4, 5])

    def test_says_an_explanation_once_in_a_row(self):
        findings = [
            _fact(f"check {iteration}", iteration, end=helper.said(text))
            for iteration, text in enumerate(("1st.", "1st.", "2nd.", "1st."))
        ]
        lines = _facts(findings, verdict_pb2.Verdict())
        self.assertEqual(
            [line.split()[-1] for line in lines if line.endswith(".")],
            ["1st.", "2nd.", "1st."],
        )

    def test_does_not_say_again_what_the_summary_says(self):
        finding = _fact("steps", 4, end=helper.said("It starts over."))
        verdict = verdict_pb2.Verdict(
            conclusion=verdict_pb2.Verdict.CRASH, findings=[finding]
        )
        self.assertIn("It starts over", summary.summarize(verdict))
        lines = _facts([finding], verdict)
        self.assertNotIn("It starts over", "".join(lines))

    def test_a_fact_of_nowhere_is_its_subject(self):
        lines = _facts(
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


_A = "a39bc724240823570b4eb0f6cb0baa29"
_B = "7120c381a222b698b55fea348d31d923"
_loaded = helper.loaded
_ABSENT = verdict_pb2.Value(absent=True)


def _render_states(
    *findings: Mapping[str, object],
    differing: int = 0,
    rule: rules.Rule = rules.STATE_RESTORED,
) -> list[str]:
    defaults = {"subject": helper.entry("rng"), "check": rule.name}
    return _states(
        [
            helper.make(**(defaults | dict(finding)))  # type: ignore[arg-type]
            for finding in findings
        ],
        verdict_pb2.Verdict(
            checks=[
                verdict_pb2.Check(oracle=verdict_pb2.GOLDEN, differing=100),
                verdict_pb2.Check(
                    oracle=verdict_pb2.STATE,
                    name=rule.name,
                    compared=1813,
                    differing=differing,
                ),
            ]
        ),
    )


class StatesTest(parameterized.TestCase):
    def test_counts_all_state_entries_and_no_others(self):
        self.assertEqual(
            _render_states({}, differing=1084)[0],
            "Loaded state that is not the saved state, 1,084 of 1,813 entries:",
        )

    def test_says_between_what_they_changed(self):
        for rule, lines in (
            (
                rules.SAVED_STATE_KEPT,
                [
                    "State that changed after a save, before the next step, 1 "
                    "of 1,813 entries:",
                    "rank  entry, saved -> trained on",
                ],
            ),
            (
                rules.LOADED_STATE_KEPT,
                [
                    "State that changed after a load, before the next step, 1 "
                    "of 1,813 entries:",
                    "rank  entry, loaded -> trained on",
                ],
            ),
        ):
            rendered = _render_states({}, differing=1, rule=rule)
            self.assertEqual(rendered[:2], lines)

    def test_every_check_of_states_has_words(self):
        for rule in rules.ALL:
            if rule.oracle == verdict_pb2.STATE:
                self.assertNotEmpty(_render_states({}, rule=rule))

    @parameterized.parameters(
        # Shows values, and digests where these do not tell the difference.
        (_loaded(_A, "0.001"), _loaded(_B, "0.005"), "0.001 -> 0.005"),
        (
            _loaded(_A, "float32[16]"),
            _loaded(_B, "float32[16]"),
            "float32[16], digest a39bc7242408 -> 7120c381a222",
        ),
        (_loaded(_A), _loaded(_B), "digest a39bc7242408 -> 7120c381a222"),
        (
            _loaded(_A),
            _loaded(_B, "5"),
            "digest a39bc7242408 -> 5, digest 7120c381a222",
        ),
        (
            _loaded(_A, "1"),
            _loaded(_B),
            "1, digest a39bc7242408 -> digest 7120c381a222",
        ),
        (_loaded(_A, "0.001"), _ABSENT, "0.001 -> absent"),
        (_ABSENT, _loaded(_A, "0.001"), "absent -> 0.001"),
    )
    def test_says_what_changed(self, saved, loaded, text):
        (line,) = _render_states({"expected": saved, "actual": loaded})[4:]
        self.assertEqual(line.strip(), text)

    def test_shows_the_first_entries_and_counts_the_others(self):
        findings = [
            {"subject": helper.entry(f"entry {entry}"), "rank": 1}
            for entry in range(9)
        ]
        lines = _render_states(*findings, differing=6000)
        self.assertEqual(
            [line for line in lines if "entry " in line],
            [f"   1  entry {entry}" for entry in range(6)],
        )
        self.assertEqual(lines[-1], "      and 5,994 more")
        self.assertNotIn("more", _render_states(*findings[:6], differing=6)[-1])

    def test_draws_ranks_together_and_counts_each(self):
        lines = _render_states(
            *(
                {"subject": helper.entry("scheduler/max_lr"), "rank": rank}
                for rank in (0, 1, 2)
            ),
            differing=4,
        )
        self.assertEqual(
            [line for line in lines if "max_lr" in line],
            [" 0-2  scheduler/max_lr"],
        )
        self.assertEqual(lines[-1], "      and 1 more")

    def test_names_each_iteration_once_in_a_row(self):
        lines = _render_states(
            *(
                {
                    "subject": helper.entry(f"entry {entry}"),
                    "iteration": iteration,
                }
                for entry, iteration in enumerate((4, 4, 2))
            ),
        )
        self.assertEqual(
            [line for line in lines if line.startswith("of ")],
            ["of iteration 4", "of iteration 2"],
        )

    def test_says_an_explanation_once_in_a_row(self):
        lines = _render_states(
            *(
                {
                    "subject": helper.entry(f"entry {entry}"),
                    "origin": verdict_pb2.StateOrigin(rank=source),
                }
                for entry, source in enumerate((1, 1, 2))
            ),
        )
        self.assertEqual(
            [line for line in lines if line.endswith(".")],
            [
                "      Where it differs, what rank 0 loaded is what rank "
                f"{rank} saved."
                for rank in (1, 2)
            ],
        )


def _value(**fields: object) -> verdict_pb2.Finding:
    wanted: dict[str, object] = {
        "oracle": verdict_pb2.GOLDEN,
        "check": "attempt 1: metrics",
        "subject": helper.metric(),
        "attempt": 1,
        "iteration": 4,
        "expected": 1.0,
        "actual": 2.0,
    }
    return helper.make(**(wanted | fields))  # type: ignore[arg-type]


def _render_values(*findings: verdict_pb2.Finding) -> list[str]:
    """Returns the lines below the header."""
    return _values(findings, verdict_pb2.Verdict())[3:]


def _iterations(lines: list[str]) -> list[int]:
    return [int(line.split()[0]) for line in lines if "lm loss" in line]


class ValuesTest(parameterized.TestCase):
    @parameterized.parameters(
        ({}, "-          -             -"),
        ({"absolute": 2.0}, "2          -             -"),
        (
            {"absolute": 0.0, "relative": 0.0, "ulps": 0},
            "0          0             0",
        ),
        ({"absolute": 2.0, "ulps": 1048576}, "2          -     1,048,576"),
        (
            {"absolute": 1.23456e-100, "relative": 1.0},
            "1.23e-100          1             -",
        ),
    )
    def test_says_how_far_apart_numbers_are(self, fields, text):
        line = _render_values(_value(**fields))[2]
        self.assertEqual(line.strip(), f"{text}  2.0")

    def test_expected_stands_above_actual(self):
        _, expected, actual = _render_values(_value())
        self.assertEqual(expected.index("1.0"), actual.index("2.0"))

    def test_a_long_name_leaves_expected_above_actual(self):
        name = 'learning rate of group "default (no weight decay)"'
        _, first, expected, actual = _render_values(
            _value(
                subject=helper.metric(
                    "learning rate", "default (no weight decay)"
                )
            )
        )
        self.assertEqual(expected.index("1.0"), actual.index("2.0"))
        self.assertEqual(
            f"{first.split(maxsplit=1)[1]} {expected[:54].strip()}", name
        )

    def test_leaves_room_for_what_another_check_found(self):
        lines = _render_values(
            *(_value(iteration=iteration) for iteration in range(1, 10)),
            *(
                _value(check="another", iteration=iteration)
                for iteration in range(20, 30)
            ),
            _value(check="a third", iteration=40),
        )
        self.assertEqual(_iterations(lines), [1, 2, 3, 4, 5, 6, 20, 21, 22, 23])
        # A check without a value shown has no heading.
        self.assertNotIn("golden, a third", lines)

    def test_a_value_that_two_checks_found_is_shown_once(self):
        lines = _render_values(
            _value(oracle=verdict_pb2.REPLAY, check="replay"), _value()
        )
        self.assertEqual(_iterations(lines), [4])

    @parameterized.parameters(
        ((), ""),
        ((3,), "3"),
        ((0, 1, 2, 3), "0-3"),
        ((0, 2, 4, 6), "0,2,4,6"),
        ((0, 2, 4, 6, 8), "several"),
    )
    def test_names_as_many_ranks_as_fit(self, ranks, text):
        findings = [_value(rank=rank) for rank in ranks] or [_value()]
        self.assertEqual(_render_values(*findings)[1][9:20].strip(), text)

    def test_counts_what_differs_in_the_check(self):
        check = verdict_pb2.Check(
            oracle=verdict_pb2.GOLDEN,
            name="attempt 1: metrics",
            compared=4000,
            differing=2000,
        )
        lines = _values([_value()], verdict_pb2.Verdict(checks=[check]))
        self.assertIn(
            "golden, attempt 1: metrics (2,000 of 4,000 differ)", lines
        )

    def test_values_that_vary_by_rank_are_one_row(self):
        lines = _values(
            [_value(iteration=4, rank=rank, actual=rank) for rank in range(4)],
            verdict_pb2.Verdict(),
        )
        self.assertEqual(_iterations(lines), [4])
        self.assertIn("0-3", lines[-2])
        self.assertEndsWith(lines[-1], "(of rank 0)")


if __name__ == "__main__":
    absltest.main()
