"""Tests of the decision table."""

from absl.testing import absltest, parameterized

from regress.oracle import conclusion, rules, tally, verdict_pb2

_Verdict = verdict_pb2.Verdict


def _all_rules() -> list[rules.Rule]:
    return [
        rule for rule in vars(rules).values() if isinstance(rule, rules.Rule)
    ]


def _failed(rule: rules.Rule) -> tally.Outcome:
    return tally.Outcome(rule, compared=3, differing=1, findings=())


def _passed(rule: rules.Rule) -> tally.Outcome:
    return tally.Outcome(rule, compared=3, differing=0, findings=())


class OrderTest(parameterized.TestCase):
    def test_has_every_conclusion_once(self):
        ordered = [reached for reached, _ in conclusion.ORDER]
        self.assertCountEqual(
            ordered,
            set(_Verdict.Conclusion.values())
            - {_Verdict.CONCLUSION_UNSPECIFIED, _Verdict.PASS},
        )

    def test_is_from_the_cause_to_what_follows(self):
        self.assertEqual(
            [
                _Verdict.Conclusion.Name(reached)
                for reached, _ in conclusion.ORDER
            ],
            [
                "CRASH",
                "HANG",
                "WRONG_ENVIRONMENT",
                "STALE_GOLDEN",
                "NOT_INTERRUPTED",
                "DAMAGED_CHECKPOINT",
                "NOT_RESUMED",
                "NONDETERMINISM",
                "NUMERIC_DRIFT",
                "RESUME_DIVERGENCE",
            ],
        )

    def test_no_two_rules_have_one_row(self):
        rows = [(rule.oracle, rule.name) for rule in _all_rules()]
        self.assertLen(set(rows), len(rows))

    def test_every_rule_fits_its_column(self):
        for rule in _all_rules():
            self.assertLessEqual(len(rule.name), 33, rule.name)


class ConcludeTest(absltest.TestCase):
    def test_passes_if_every_check_passes(self):
        outcomes = [_passed(rule) for rule in _all_rules()]
        self.assertEqual(conclusion.conclude(outcomes), _Verdict.PASS)

    def test_each_rule_alone_gives_its_conclusion(self):
        for failing in _all_rules():
            outcomes = [
                _failed(rule) if rule == failing else _passed(rule)
                for rule in _all_rules()
            ]
            self.assertEqual(
                conclusion.conclude(outcomes), failing.conclusion, failing.name
            )

    def test_the_cause_wins_wherever_its_check_stands(self):
        outcomes = [_failed(rule) for rule in _all_rules()]
        self.assertEqual(conclusion.conclude(outcomes), _Verdict.CRASH)
        self.assertEqual(conclusion.conclude(outcomes[::-1]), _Verdict.CRASH)

    def test_a_check_that_compared_nothing_does_not_pass(self):
        for rule in _all_rules():
            empty = tally.Tally(rule).outcome()
            self.assertNotEqual(conclusion.conclude([empty]), _Verdict.PASS)


class ByWeightTest(absltest.TestCase):
    def test_gives_what_decided_first_and_the_state_before_metrics(self):
        self.assertEqual(
            [
                outcome.rule
                for outcome in conclusion.by_weight(
                    [
                        _passed(rules.NO_HANG),
                        _failed(rules.INTERRUPTED_METRICS),
                        _failed(rules.RESUMED_SAMPLES),
                        _failed(rules.RESUMED_METRICS),
                        _failed(rules.METRICS_REPEATED),
                        _failed(rules.STATE_RESTORED),
                    ],
                    _Verdict.RESUME_DIVERGENCE,
                )
            ],
            [
                rules.STATE_RESTORED,
                rules.METRICS_REPEATED,
                rules.RESUMED_METRICS,
                rules.RESUMED_SAMPLES,
                rules.INTERRUPTED_METRICS,
            ],
        )


if __name__ == "__main__":
    absltest.main()
