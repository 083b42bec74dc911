"""Tests for putting verdicts into words."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import finding_test_helper as helper
from regress.report import wording
from regress.run import run_pb2

_Fact = verdict_pb2.Fact
_Value = verdict_pb2.Value
_Number = verdict_pb2.Number
_Progress = verdict_pb2.RankProgress


class SubjectTest(parameterized.TestCase):
    def test_every_fact_has_words(self) -> None:
        self.assertCountEqual(
            wording.FACTS,
            set(_Fact.Kind.values()) - {_Fact.KIND_UNSPECIFIED},
        )

    @parameterized.parameters(
        (helper.metric(), "lm loss"),
        (
            helper.metric("learning rate", "default"),
            'learning rate of group "default"',
        ),
        (helper.entry("chunk 0/exp_avg/a.b"), "chunk 0/exp_avg/a.b"),
        (helper.entry("param group a/b/lr"), "param group a/b/lr"),
        (helper.entry("iteration"), "iteration"),
        (_Fact.EXIT_STATUS, "exit status"),
        (_Fact(kind=_Fact.PROCESS, name="12"), "process 12"),
        (_Fact(kind=_Fact.GOLDEN_PACKAGE, name="torch"), "torch"),
        (_Fact.NOTHING_COMPARED, "the check"),
    )
    def test_names_the_subject(self, subject, words) -> None:
        finding = helper.make(subject, check="the check")
        self.assertEqual(wording.subject(finding), words)


class WhenTest(parameterized.TestCase):
    @parameterized.parameters(
        ({}, ""),
        ({"iteration": 5}, "iteration 5"),
        ({"after_iteration": 8}, "after iteration 8"),
    )
    def test_says_when_it_was_found(self, fields, words) -> None:
        self.assertEqual(wording.when(verdict_pb2.Finding(**fields)), words)

    @parameterized.parameters(
        ({}, ""),
        ({"first_bad_iteration": 5}, "first bad iteration: 5"),
        ({"bad_after_iteration": 8}, "first bad: after iteration 8"),
    )
    def test_says_where_it_began(self, fields, words) -> None:
        self.assertEqual(
            wording.first_bad(verdict_pb2.Verdict(**fields)), words
        )


class ValueTest(parameterized.TestCase):
    @parameterized.parameters(
        (helper.number(0.5), "0.5 (0x1p-1)", "0.5"),
        (helper.number(float("nan")), "nan", "nan"),
        (helper.number(-0.0), "-0.0 (-0x0p+0)", "-0.0"),
        (helper.number(12, _Number.INTEGER), "12", "12"),
        (helper.number(10, _Number.DIGEST), "00000000000a", "00000000000a"),
        (
            _Value(
                number=_Number(
                    value=2, precision=_Number.FLOAT64, band=0.015625
                )
            ),
            "2.0 (0x1p+1) within 0.0156 of it",
            "2.0",
        ),
        (_Value(digest="abc"), "abc", "abc"),
        (_Value(text="in order"), "in order", "in order"),
        (_Value(absent=True), "absent", "absent"),
        (_Value(times=0), "never", "never"),
        (_Value(times=1), "once", "once"),
        (_Value(times=30), "30 times", "30 times"),
        (_Value(values=0), "no value", "no value"),
        (_Value(values=1), "one value", "one value"),
        (_Value(values=2), "2 values", "2 values"),
        (_Value(integers=verdict_pb2.Integers()), "none", "none"),
        (
            _Value(integers=verdict_pb2.Integers(values=[3, 1])),
            "3, 1",
            "3, 1",
        ),
        (helper.loaded("", "int"), "int, no digest", "int, no digest"),
        (_Value(), "", ""),
    )
    def test_words(self, value, words, short) -> None:
        self.assertEqual(wording.value(value), words)
        self.assertEqual(wording.short_value(value), short)

    def test_an_unknown_cause_has_its_number(self) -> None:
        status = run_pb2.ExitStatus(code=1)
        status.ParseFromString(b"\x08\x63" + status.SerializeToString())
        self.assertEqual(wording.exit_status(status), "99, exit code 1")

    def test_of_a_peer_only_the_cause_counts(self) -> None:
        gone = run_pb2.ExitStatus(cause=run_pb2.ExitStatus.PEER_GONE)
        finding = helper.make(_Fact.EXIT_OF_PEER, _Value(exit=gone))
        self.assertEqual(wording.expected(finding), "PEER_GONE")

    @parameterized.parameters(
        ([], "ranks none"), ([2], "rank 2"), ([0, 3], "ranks 0, 3")
    )
    def test_ranks_are_named(self, values, text) -> None:
        self.assertEqual(wording.ranks(values), text)


class ExplanationTest(parameterized.TestCase):
    def test_an_end_names_the_log_as_the_full_record_does(self) -> None:
        finding = helper.make(
            _Fact.EXIT_STATUS, attempt=1, end=helper.said("no memory")
        )
        end = "its log {}/rank_0.log ends in: no memory"
        self.assertEndsWith(
            wording.explanation(finding), end.format("attempt_1")
        )
        finding.of_repeat = True
        finding.attempt = 0
        self.assertEndsWith(
            wording.explanation(finding), end.format("repeat/attempt_0")
        )

    def test_a_fact_explains_itself_if_no_end_does(self) -> None:
        finding = helper.make(
            _Fact.INTERRUPTED_PHASE, attempt=0, end=run_pb2.AttemptEnd()
        )
        self.assertEqual(
            wording.explanation(finding),
            "The interruption is not the one that the case asks for.",
        )

    @parameterized.parameters(
        (
            verdict_pb2.StateOrigin(rank=1),
            "Where it differs, what rank 2 loaded is what rank 1 saved.",
        ),
        (
            verdict_pb2.StateOrigin(iteration=20),
            "Where it differs, what rank 2 loaded is of iteration 20.",
        ),
        (
            verdict_pb2.StateOrigin(
                chunks=[verdict_pb2.ChunkOrigin(chunk=0, source=1)]
            ),
            "On rank 2 chunk 0 holds what chunk 1 saved.",
        ),
    )
    def test_says_where_a_state_comes_from(self, origin, words) -> None:
        finding = helper.make(helper.entry("rng"), rank=2, origin=origin)
        self.assertEqual(wording.explanation(finding), words)

    def test_a_metric_of_the_golden_is_not_complete(self) -> None:
        finding = helper.make(helper.metric(), oracle=verdict_pb2.PRECONDITIONS)
        self.assertIn(
            "exactly the case's metrics", wording.explanation(finding)
        )
        finding.oracle = verdict_pb2.GOLDEN
        self.assertEqual(wording.explanation(finding), "")


class AttemptTest(parameterized.TestCase):
    @parameterized.parameters(
        (False, 1, "attempt 1", "attempt_1"),
        (True, 0, "the repeat of attempt 0", "repeat/attempt_0"),
    )
    def test_is_named(self, of_repeat, attempt, name, folder) -> None:
        finding = verdict_pb2.Finding(attempt=attempt, of_repeat=of_repeat)
        self.assertEqual(wording.attempt(finding), name)
        self.assertEqual(wording.attempt_folder(finding), folder)

    def test_a_finding_may_name_no_attempt(self) -> None:
        self.assertEqual(wording.attempt(verdict_pb2.Finding()), "")


class ActivityTest(absltest.TestCase):
    def test_every_activity_has_words_of_its_own(self) -> None:
        kinds = [
            kind
            for kind in _Progress.Activity.values()
            if kind != _Progress.ACTIVITY_UNSPECIFIED
        ]
        words = {
            wording.activity(
                _Progress(activity=_Progress.Activity.Name(kind), iteration=4)
            )
            for kind in kinds
        }
        self.assertLen(words, len(kinds))


if __name__ == "__main__":
    absltest.main()
