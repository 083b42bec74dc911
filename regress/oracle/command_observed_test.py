"""Tests for the verdict on a command that is observed."""

from absl.testing import absltest, parameterized

from regress.oracle import (
    observed_record_test_helper as observed_testing,
)
from regress.oracle import rules, verdict_pb2

_Verdict = verdict_pb2.Verdict
_NotJudged = verdict_pb2.NotJudged
_Fact = verdict_pb2.Fact


class ExactTest(observed_testing.ObservedTestCase):
    def test_passes_an_exact_resume(self) -> None:
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        self.assertEmpty(verdict.findings)
        self.assertEmpty(verdict.not_judged)
        self.assertEmpty(verdict.clues)
        self.assertEqual(list(verdict.outline.resume_iteration), [3])
        compared = {
            one.name: one.compared
            for one in verdict.checks
            if not one.name.startswith(("the command", "the resume", "every"))
        }
        self.assertEqual(
            compared,
            {
                "the ranks are observed": 3,
                "a checkpoint to resume from": 1,
                "each rank has finished": 2,
                "last step of each rank": 2,
                "nothing logged after the end": 1,
                "what was loaded is what was saved": 2 * 5,
                "state as the resume begins": 2 * 5,
                "checkpoint of the end": 1,
                "steps of the first attempt": 2
                * 3
                * len(observed_testing.METRICS),
                "steps of the resumes": 2 * 4 * len(observed_testing.METRICS),
                "saves of the resumes": 2 * 2 * 5,
            },
        )

    def test_passes_two_exact_resumes(self) -> None:
        self.interrupt_again()
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        self.assertEmpty(verdict.not_judged)
        self.assertEqual(list(verdict.outline.resume_iteration), [3, 5])
        for rule, compared in (
            (rules.OBSERVED_RANKS, 4),
            (rules.OBSERVED_LOADED, 2 * 2 * 5),
            (rules.OBSERVED_BEGUN, 2 * 2 * 5),
            (rules.OBSERVED_AFTER, 2 * (3 + 2) * len(observed_testing.METRICS)),
            (rules.OBSERVED_SAVES, 2 * 2 * 5),
        ):
            self.assertEqual(self.counts_of(rule), (compared, 0), rule.name)


class FinishedTest(observed_testing.ObservedTestCase):
    def assert_finds(self, rank: int, *, text: str = "") -> None:
        """Asserts that one rank has not finished."""
        self.assert_concludes(_Verdict.NOT_RESUMED)
        self.assertEqual(self.counts_of(rules.OBSERVED_FINISHED), (2, 1))
        (found,) = self.found_by(rules.OBSERVED_FINISHED)
        self.assertEqual(found.fact, _Fact(kind=_Fact.FINISHED))
        self.assertEqual((found.attempt, found.rank), (2, rank))
        self.assertFalse(found.HasField("iteration"))
        self.assertEqual(found.expected.text, "after iteration 6")
        self.assertEqual(found.actual.text, text)
        self.assertEqual(found.actual.absent, not text)

    def setUp(self) -> None:
        super().setUp()
        self.interrupt_again()
        self.last = self.record.attempts[2]

    @parameterized.parameters(*observed_testing.RANKS)
    def test_a_rank_that_does_not_say_so(self, rank: int) -> None:
        self.last.observed[rank].ClearField("finished")
        self.assert_finds(rank)

    def test_a_rank_that_says_so_too_soon(self) -> None:
        self.last.observed[0].finished = 5
        self.assert_finds(0, text="after iteration 5")

    def test_a_rank_that_is_not_there(self) -> None:
        last = self.last.observed.pop()
        # That the rank tells nothing at all weighs more.
        self.assert_concludes(_Verdict.WRONG_ENVIRONMENT)
        self.assertEqual(self.counts_of(rules.OBSERVED_FINISHED), (2, 1))
        (found,) = self.found_by(rules.OBSERVED_FINISHED)
        self.assertEqual(found.rank, last.rank)
        self.assertTrue(found.actual.absent)

    def test_both_ranks(self) -> None:
        for rank in self.last.observed:
            rank.ClearField("finished")
        self.assertEqual(
            [one.rank for one in self.found_by(rules.OBSERVED_FINISHED)],
            [0, 1],
        )

    def test_only_ranks_that_finish_without_an_interruption_must(self) -> None:
        self.whole.observed[0].ClearField("finished")
        self.last.observed[0].ClearField("finished")
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(self.counts_of(rules.OBSERVED_FINISHED), (1, 0))
        self.whole.observed[1].ClearField("finished")
        self.assertIsNone(self.counts_of(rules.OBSERVED_FINISHED))


class LastStepTest(observed_testing.ObservedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.of_whole = self.whole.observed[1]
        self.of_last = self.resumed.observed[1]

    def assert_ends(self, expected: int, actual: int | None) -> None:
        """Asserts after which step rank 1 was to end, and did end."""
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(self.counts_of(rules.LAST_STEPS), (2, 1))
        (found,) = self.found_by(rules.LAST_STEPS)
        self.assertEqual(found.fact, _Fact(kind=_Fact.LAST_STEP))
        self.assertEqual(found.rank, 1)
        self.assertEqual(found.expected.text, str(expected))
        self.assertEqual(found.actual.absent, actual is None)
        if actual is not None:
            self.assertEqual(found.actual.text, str(actual))

    def test_both_end_after_the_same_step(self) -> None:
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(self.counts_of(rules.LAST_STEPS), (2, 0))

    def test_a_rank_goes_on_after_the_end(self) -> None:
        self.of_last.steps.add(iteration=8)
        self.of_last.steps.add(iteration=7)
        self.assert_ends(6, 8)

    def test_a_rank_ends_before_the_end(self) -> None:
        del self.of_last.steps[-1]
        self.assert_ends(6, 5)

    def test_a_rank_makes_no_step(self) -> None:
        del self.of_last.steps[:]
        self.assert_ends(6, None)

    def test_the_steps_of_another_optimizer_do_not_count(self) -> None:
        self.of_last.steps.add(iteration=7, optimizer=1)
        self.assertEqual(self.counts_of(rules.LAST_STEPS), (2, 0))

    def test_a_rank_that_makes_no_step_need_not_end(self) -> None:
        del self.whole.observed[0].steps[:]
        self.assertEqual(self.counts_of(rules.LAST_STEPS), (1, 0))

    def test_a_rank_that_does_not_tell_all_need_not_either(self) -> None:
        first = self.resumed.observed[0]
        first.steps.add(iteration=7)
        first.full = True
        self.assertEqual(self.counts_of(rules.LAST_STEPS), (1, 0))
        first.full = False
        self.whole.observed[0].problems.append("no step")
        self.assertEqual(self.counts_of(rules.LAST_STEPS), (1, 0))
        self.of_whole.full = True
        self.assertIsNone(self.counts_of(rules.LAST_STEPS))


class RanksTest(observed_testing.ObservedTestCase):
    def test_ranks_may_be_told_of_in_any_order(self) -> None:
        observed = self.resumed.observed
        observed.insert(0, observed.pop())
        self.assert_concludes(_Verdict.PASS)

    @parameterized.parameters(([0],), ([],), ([0, 1, 2],))
    def test_each_rank_has_to_tell(self, found: list[int]) -> None:
        del self.resumed.observed[:]
        for rank in found:
            self.resumed.observed.append(
                observed_testing.make_rank(
                    rank, range(3, observed_testing.LAST + 1)
                )
            )
        self.assert_concludes(_Verdict.WRONG_ENVIRONMENT)
        self.assertEqual(self.counts_of(rules.OBSERVED_RANKS), (3, 1))
        (finding,) = self.found_by(rules.OBSERVED_RANKS)
        self.assertEqual(finding.fact, _Fact(kind=_Fact.OBSERVED_RANKS))
        self.assertEqual(finding.attempt, 1)
        self.assertEqual(list(finding.expected.integers.values), [0, 1])
        self.assertTrue(finding.actual.HasField("integers"))
        self.assertEqual(list(finding.actual.integers.values), found)

    def test_so_does_each_rank_of_each_launch(self) -> None:
        for launch in self.all_launches():
            del launch.observed[1]
        self.assertCountEqual(
            [
                (one.attempt, one.of_uninterrupted)
                for one in self.found_by(rules.OBSERVED_RANKS)
            ],
            [(0, False), (1, False), (0, True)],
        )

    def test_a_rank_that_does_not_tell_all_is_listed(self) -> None:
        self.first.observed[1].problems.extend(["no step", "no load"])
        self.resumed.observed[0].full = True
        self.whole.observed[0].problems.extend(["no load", "no save"])
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(
            *(
                _NotJudged(kind=_NotJudged.OBSERVED_IN_PART, what=what)
                for what in ("no step", "no load", "", "no save")
            )
        )

    def test_that_is_listed_up_to_a_bound(self) -> None:
        problems = [f"problem {index:02}" for index in range(25)]
        self.first.observed[0].problems.extend(problems)
        self.assertEqual(
            [one.what for one in self.judge().not_judged], problems[:20]
        )


if __name__ == "__main__":
    absltest.main()
