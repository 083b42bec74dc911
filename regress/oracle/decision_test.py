"""Tests for how the outcomes of all checks become one conclusion."""

from absl.testing import absltest, parameterized

from regress.oracle import check, conclusions, decision, rules, verdict_pb2

_Verdict = verdict_pb2.Verdict
_Fact = verdict_pb2.Fact
_RNG = verdict_pb2.StateEntryKey(kind="rng")
_LOSS = verdict_pb2.Metric(name="lm loss")
_PARAMS = verdict_pb2.Metric(name="params norm")
_RATE = verdict_pb2.Metric(name="learning rate", param_group="default")


def _failed(rule: rules.Rule) -> check.Outcome:
    return check.Outcome(rule, compared=3, differing=1, findings=())


def _passed(rule: rules.Rule) -> check.Outcome:
    return check.Outcome(rule, compared=3, differing=0, findings=())


class OrderTest(parameterized.TestCase):
    def test_has_every_conclusion_once(self):
        ordered = [one.reached for one in conclusions.ORDER]
        self.assertCountEqual(
            ordered,
            set(_Verdict.Conclusion.values())
            - {_Verdict.CONCLUSION_UNSPECIFIED, _Verdict.PASS},
        )

    def test_is_from_the_cause_to_what_follows(self):
        self.assertEqual(
            [one.name for one in conclusions.ORDER],
            [
                "crash",
                "hang",
                "wrong environment",
                "stale golden",
                "not interrupted",
                "damaged checkpoint",
                "not resumed",
                "nondeterminism",
                "numeric drift",
                "resume divergence",
                "not saved",
            ],
        )

    def test_no_two_rules_have_one_row(self):
        rows = [(rule.oracle, rule.name) for rule in rules.ALL]
        self.assertLen(set(rows), len(rows))

    def test_every_rule_fits_its_column(self):
        for rule in rules.ALL:
            self.assertLessEqual(len(rule.name), 33, rule.name)


def _of(rule: rules.Rule, *findings: verdict_pb2.Finding) -> check.Outcome:
    return check.Outcome(rule, compared=3, differing=1, findings=findings)


class FirstBadTest(parameterized.TestCase):
    def test_a_step_comes_before_what_it_left(self) -> None:
        state = verdict_pb2.Finding(iteration=8, state_entry=_RNG)
        loss = verdict_pb2.Finding(iteration=8, metric=_LOSS)
        other = verdict_pb2.Finding(metric=_PARAMS)
        for findings, first in (
            ((state, loss), loss),
            ((loss, state), loss),
            ((other, state), state),
            ((other,), None),
        ):
            outcomes = [
                _of(rule, finding)
                for rule, finding in zip(
                    (rules.RESUMED_STATE, rules.RESUMED_METRICS),
                    findings,
                    strict=False,
                )
            ]
            self.assertEqual(
                decision.first_bad(outcomes, _Verdict.RESUME_DIVERGENCE),
                first,
            )

    def test_of_checks_that_did_not_decide_nothing_is_said(self) -> None:
        loss = verdict_pb2.Finding(iteration=8, metric=_LOSS)
        outcomes = [_of(rules.RESUMED_METRICS, loss)]
        self.assertIsNone(decision.first_bad(outcomes, _Verdict.CRASH))


class DateTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"metric": _LOSS, "iteration": 8}, 8, None),
        ({"fact": _Fact(kind=_Fact.STEP), "iteration": 9}, 9, None),
        ({"state_entry": _RNG, "iteration": 7}, 7, None),
        ({"state_entry": _RNG, "iteration": 8}, None, 8),
        ({"fact": _Fact(kind=_Fact.SAVED_STATE), "iteration": 8}, None, 8),
        ({"state_entry": _RNG}, None, None),
        (
            {
                "fact": _Fact(kind=_Fact.FILE_SIZE),
                "oracle": verdict_pb2.READ_BACK,
                "iteration": 3,
            },
            None,
            3,
        ),
        ({"progress": verdict_pb2.RankProgress(), "iteration": 8}, 8, None),
        ({"progress": verdict_pb2.RankProgress(), "iteration": 9}, None, 8),
    )
    def test_tells_an_iteration_from_what_it_left(
        self, fields, iteration, after
    ) -> None:
        finding = verdict_pb2.Finding(**fields)
        decision.date(finding, last=8)
        for name, expected in (
            ("iteration", iteration),
            ("after_iteration", after),
        ):
            actual = getattr(finding, name) if finding.HasField(name) else None
            self.assertEqual(actual, expected)


class ConcludeTest(absltest.TestCase):
    def test_passes_if_every_check_passes(self):
        outcomes = [_passed(rule) for rule in rules.ALL]
        self.assertEqual(decision.conclude(outcomes), _Verdict.PASS)

    def test_each_rule_alone_gives_its_conclusion(self):
        for failing in rules.ALL:
            outcomes = [
                _failed(rule) if rule == failing else _passed(rule)
                for rule in rules.ALL
            ]
            self.assertEqual(
                decision.conclude(outcomes), failing.conclusion, failing.name
            )

    def test_the_cause_wins_wherever_its_check_stands(self):
        outcomes = [_failed(rule) for rule in rules.ALL]
        self.assertEqual(decision.conclude(outcomes), _Verdict.CRASH)
        self.assertEqual(decision.conclude(outcomes[::-1]), _Verdict.CRASH)

    def test_other_packages_are_the_verdict_only_if_the_run_is_sound(self):
        packages = _failed(rules.GOLDEN_OF_PACKAGES)
        for others, expected in (
            ([], _Verdict.STALE_GOLDEN),
            # The golden of another release has other numbers.
            ([rules.RESUMED_METRICS], _Verdict.STALE_GOLDEN),
            ([rules.STATE_RESTORED], _Verdict.RESUME_DIVERGENCE),
            ([rules.METRICS_REPEATED], _Verdict.RESUME_DIVERGENCE),
        ):
            self.assertEqual(
                decision.conclude([packages, *map(_failed, others)]), expected
            )

    def test_a_check_that_compared_nothing_does_not_pass(self):
        for rule in rules.ALL:
            empty = check.Check(rule).outcome()
            self.assertNotEqual(decision.conclude([empty]), _Verdict.PASS)


class ByWeightTest(absltest.TestCase):
    def test_gives_what_decided_first_and_the_state_before_metrics(self):
        self.assertEqual(
            [
                outcome.rule
                for outcome in decision.by_weight(
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


def _found(
    rule: rules.Rule, subject: check.Subject, iteration: int | None
) -> check.Outcome:
    found = check.Check(rule)
    finding = found.find(subject, "", "", iteration=iteration)
    return check.Outcome(rule, compared=3, differing=1, findings=(finding,))


class NearestTheCauseTest(parameterized.TestCase):
    """Of two checks that both conclude a divergence, which comes first?"""

    @parameterized.named_parameters(
        (
            "a_wrong_state_before_earlier_metrics",
            (rules.STATE_RESTORED, _RNG, 6),
            (rules.METRICS_REPEATED, _LOSS, 4),
        ),
        (
            "a_wrong_state_before_metrics_of_the_first_iteration",
            (rules.STATE_RESTORED, _RNG, 1),
            (rules.METRICS_REPEATED, _LOSS, 1),
        ),
        (
            "an_earlier_iteration_before_a_metric_upstream",
            (rules.RESUMED_STATE, _Fact.SAVED_STATE, 6),
            (rules.RESUMED_METRICS, _RATE, 7),
        ),
        (
            "a_metric_upstream_before_a_more_telling_oracle",
            (rules.RESUMED_METRICS, _RATE, 6),
            (rules.METRICS_REPEATED, _LOSS, 6),
        ),
        (
            "a_metric_before_the_state_that_follows_from_it",
            (rules.RESUMED_METRICS, _PARAMS, 6),
            (rules.RESUMED_STATE, _Fact.SAVED_STATE, 6),
        ),
        (
            "the_more_telling_oracle_of_the_same_metric",
            (rules.METRICS_REPEATED, _LOSS, 6),
            (rules.RESUMED_METRICS, _LOSS, 6),
        ),
    )
    def test_orders(self, first, second):
        outcomes = [_found(*first), _found(*second)]
        for given in (outcomes, outcomes[::-1]):
            self.assertEqual(
                decision.by_weight(given, _Verdict.RESUME_DIVERGENCE),
                outcomes,
            )

    def test_facts_come_in_the_order_of_their_checks(self):
        outcomes = [
            _found(rules.CHECKPOINT_LOADED, _Fact.LOADED_BY_RESUME, None),
            _found(rules.RESUMED_STEPS, _Fact.STEP, 8),
            _found(rules.RESUMED_SAVES, _Fact.CHECKPOINTS_WRITTEN, None),
        ]
        self.assertEqual(
            decision.by_weight(outcomes, _Verdict.NOT_RESUMED), outcomes
        )

    def test_what_decided_comes_before_all_others(self):
        drift = _found(rules.INTERRUPTED_METRICS, _PARAMS, 4)
        state = _found(rules.STATE_RESTORED, _RNG, 3)
        self.assertEqual(
            decision.by_weight([state, drift], _Verdict.NUMERIC_DRIFT),
            [drift, state],
        )


class RepeatThroughTest(parameterized.TestCase):
    """Attempt 0 runs again only where wrong numbers have no known cause."""

    @parameterized.parameters(
        (_Verdict.NUMERIC_DRIFT, rules.INTERRUPTED_METRICS, False, 4),
        (_Verdict.NUMERIC_DRIFT, rules.INTERRUPTED_METRICS, True, 4),
        (_Verdict.RESUME_DIVERGENCE, rules.RESUMED_METRICS, False, 4),
        (_Verdict.RESUME_DIVERGENCE, rules.RESUMED_METRICS, True, None),
        (_Verdict.CRASH, rules.NO_CRASH, False, None),
        (_Verdict.CRASH, rules.NO_CRASH, True, None),
    )
    def test_follows_from_the_conclusion_and_the_state(
        self,
        conclusion: _Verdict.Conclusion,
        rule: rules.Rule,
        state_differs: bool,
        expected: int | None,
    ) -> None:
        outcomes = [
            _found(rule, _LOSS, 4),
            _found(rules.STATE_RESTORED, _RNG, 4)
            if state_differs
            else _passed(rules.STATE_RESTORED),
        ]
        self.assertEqual(
            decision.repeat_through(outcomes, conclusion), expected
        )

    def test_is_none_without_an_iteration(self) -> None:
        outcomes = [_found(rules.RESUMED_METRICS, _LOSS, None)]
        self.assertIsNone(
            decision.repeat_through(outcomes, _Verdict.RESUME_DIVERGENCE)
        )


class NeverGreenTest(absltest.TestCase):
    def test_more_checks_never_make_a_pass_of_a_failure(self):
        for failing in rules.ALL:
            outcomes = [_failed(failing)]
            for added in rules.ALL:
                outcomes.append(_passed(added))
                self.assertNotEqual(decision.conclude(outcomes), _Verdict.PASS)


if __name__ == "__main__":
    absltest.main()
