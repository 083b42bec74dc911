"""Tests for the comparison of the steps of a command."""

from collections.abc import Sequence

from absl.testing import absltest, parameterized

from regress.oracle import (
    observed_record_test_helper as observed_testing,
)
from regress.oracle import rules, verdict_pb2

_Verdict = verdict_pb2.Verdict
_NotJudged = verdict_pb2.NotJudged
_Clue = verdict_pb2.Clue
_Metric = verdict_pb2.Metric


class StepsTest(observed_testing.ObservedTestCase):
    @parameterized.parameters(*observed_testing.METRICS)
    def test_names_what_differs(self, name: str, group: str) -> None:
        # Batches and losses are the texts of all forward and backward passes.
        right, wrong = "0.25 0.5", "0.25 0.7"
        observed_testing.change(self.step(self.whole, 1, 4), name, group, right)
        observed_testing.change(
            self.step(self.resumed, 1, 4), name, group, wrong
        )
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(
            self.counts_of(rules.OBSERVED_AFTER),
            (8 * len(observed_testing.METRICS), 1),
        )
        (found,) = self.found_by(rules.OBSERVED_AFTER)
        self.assertEqual(found.metric, _Metric(name=name, param_group=group))
        self.assertEqual(observed_testing.place(found), (1, 1, 4))
        self.assertEqual(
            (found.expected.text, found.actual.text), (right, wrong)
        )
        self.assertEqual(self.judge().first_bad_iteration, 4)

    def test_the_cause_comes_before_its_consequences(self) -> None:
        for iteration in (4, 3):
            for name, group in observed_testing.METRICS:
                step = self.step(self.resumed, 0, iteration)
                observed_testing.change(step, name, group, "0.9 0.9")
        self.assertEqual(
            [
                (one.iteration, one.metric.name, one.metric.param_group)
                for one in self.found_by(rules.OBSERVED_AFTER)
            ],
            [
                (at, name, group)
                for at in (3, 4)
                for name, group in observed_testing.METRICS
            ],
        )

    @parameterized.parameters(
        (observed_testing.STREAM, "batch"),
        ("batch", observed_testing.LOSS),
        (observed_testing.LOSS, "learning rate"),
        ("weight decay", "accuracy"),
    )
    def test_so_does_that_of_another_rank(
        self, cause: str, consequence: str
    ) -> None:
        for rank, name in ((0, consequence), (1, cause)):
            group = "0" if name in ("learning rate", "weight decay") else ""
            observed_testing.change(
                self.step(self.resumed, rank, 3), name, group, "0.9"
            )
        self.assertEqual(
            [
                (one.rank, one.metric.name)
                for one in self.found_by(rules.OBSERVED_AFTER)
            ],
            [(1, cause), (0, consequence)],
        )

    def test_noise_is_no_fault_of_the_resume(self) -> None:
        self.step(self.first, 1, 3).losses[0] = "0.1"
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NONDETERMINISM)
        (found,) = verdict.findings
        self.assertEqual(found.check, rules.OBSERVED_BEFORE.name)
        self.assertEqual(observed_testing.place(found), (0, 1, 3))
        self.assertEqual(
            self.counts_of(rules.OBSERVED_BEFORE),
            (6 * len(observed_testing.METRICS), 1),
        )

    def test_a_repeat_tells_noise_from_a_fault(self) -> None:
        self.step(self.resumed, 0, 6).losses[0] = "0.1"
        self.assertEqual(self.judge().repeat_through, observed_testing.LAST)
        self.record.repeat.CopyFrom(
            observed_testing.make_launch(0, 1, observed_testing.LAST)
        )
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(
            self.counts_of(rules.OBSERVED_REPEATED),
            (12 * len(observed_testing.METRICS), 0),
        )
        self.step(self.record.repeat, 0, 6).losses[0] = "0.2"
        self.assert_concludes(_Verdict.NONDETERMINISM)
        (found,) = self.found_by(rules.OBSERVED_REPEATED)
        self.assertEqual((found.rank, found.iteration), (0, 6))
        self.assertTrue(found.of_repeat)

    def test_a_rank_that_the_whole_run_lacks_is_not_compared(self) -> None:
        del self.whole.observed[0]
        self.assertEqual(
            self.counts_of(rules.OBSERVED_AFTER),
            (4 * len(observed_testing.METRICS), 0),
        )

    def test_a_step_that_it_lacks_is_not_compared(self) -> None:
        del self.whole.observed[0].steps[3]
        self.assertEqual(
            self.counts_of(rules.OBSERVED_AFTER),
            (7 * len(observed_testing.METRICS), 0),
        )

    def test_what_either_does_not_tell_of_a_step_is_not_compared(self) -> None:
        self.step(self.whole, 0, 3).random_streams.clear()
        step = self.step(self.resumed, 1, 4)
        del step.batches[:]
        del step.losses[:]
        self.assertEqual(
            self.counts_of(rules.OBSERVED_AFTER),
            (8 * len(observed_testing.METRICS) - 4, 0),
        )

    def test_runs_without_a_common_step_are_not_compared(self) -> None:
        for rank in self.whole.observed:
            del rank.steps[:3]
        self.assertIsNone(self.counts_of(rules.OBSERVED_BEFORE))
        self.assertIsNotNone(self.counts_of(rules.OBSERVED_AFTER))

    def test_optimizers_are_told_apart(self) -> None:
        for launch in self.all_launches():
            for rank in launch.observed:
                # One steps more often than the other.
                for at in range(1, 2 * len(rank.steps)):
                    rank.steps.add(
                        iteration=at, optimizer=1, losses=[f"0.{at}"]
                    )
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(
            self.counts_of(rules.OBSERVED_AFTER),
            (8 * len(observed_testing.METRICS) + 14, 0),
        )
        self.resumed.observed[1].steps[-1].losses[0] = "0.9"
        (found,) = self.found_by(rules.OBSERVED_AFTER)
        self.assertEqual(observed_testing.place(found), (1, 1, 7))
        self.assertEqual(
            (found.expected.text, found.actual.text), ("0.7", "0.9")
        )


class UnsteadyStreamsTest(observed_testing.ObservedTestCase):
    def test_streams_that_nobody_seeds_are_not_judged(self) -> None:
        # One value is enough.
        self.step(self.whole, 1, 2).random_streams["torch"] = "another"
        self.step(self.resumed, 0, 4).random_streams["torch"] = "another"
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(
            _NotJudged(
                kind=_NotJudged.UNSTEADY_STREAM, what=observed_testing.STREAM
            )
        )
        self.assertEqual(
            self.counts_of(rules.OBSERVED_AFTER),
            (8 * (len(observed_testing.METRICS) - 1), 0),
        )

    def test_they_are_listed_in_order(self) -> None:
        names = ["Python", "cuda", "numpy", "torch"]
        for name in names:
            self.step(self.first, 0, 1).random_streams[name] = "one"
            self.step(self.whole, 0, 1).random_streams[name] = "two"
        self.assert_not_judged(
            *(
                _NotJudged(
                    kind=_NotJudged.UNSTEADY_STREAM,
                    what=f"random stream of {name}",
                )
                for name in names
            )
        )

    def test_a_stream_that_one_run_does_not_tell_of_is_none_of_them(
        self,
    ) -> None:
        del self.step(self.whole, 0, 1).random_streams["torch"]
        del self.step(self.first, 0, 2).random_streams["torch"]
        del self.whole.observed[0].steps[2]
        self.assert_not_judged()
        del self.whole.observed[0]
        self.assert_not_judged()

    def test_a_stream_that_differs_in_a_resume_is_none_of_them(self) -> None:
        self.step(self.resumed, 0, 3).random_streams["torch"] = "another"
        self.assert_not_judged()


class NotObservedTest(observed_testing.ObservedTestCase):
    def forget(self, *fields: str) -> None:
        """Takes what was observed of each step away."""
        for launch in self.all_launches():
            for rank in launch.observed:
                for step in rank.steps:
                    for field in fields:
                        step.ClearField(field)

    @parameterized.parameters(
        (["batches"], ["batch"]),
        (["losses"], []),
        (["metrics"], []),
        (["losses", "metrics"], [observed_testing.LOSS]),
        (["batches", "losses", "metrics"], ["batch", observed_testing.LOSS]),
    )
    def test_what_no_step_tells_is_listed(
        self, fields: Sequence[str], listed: Sequence[str]
    ) -> None:
        self.forget(*fields)
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(
            *(
                _NotJudged(kind=_NotJudged.NOT_OBSERVED, what=what)
                for what in listed
            )
        )

    def test_what_one_step_tells_is_not(self) -> None:
        self.forget("batches", "losses", "metrics")
        step = self.step(self.whole, 1, 6)
        step.batches.append("some")
        step.losses.append("1.0")
        self.assert_not_judged()

    def test_nothing_is_missing_in_steps_that_are_not_there(self) -> None:
        for rank in self.whole.observed:
            del rank.steps[:]
        self.assertNotIn(
            _NotJudged.NOT_OBSERVED,
            [one.kind for one in self.judge().not_judged],
        )


class CluesTest(observed_testing.ObservedTestCase):
    def assert_clues(self, *expected: _Clue) -> None:
        verdict = self.judge()
        self.assertEqual(verdict.findings[0].check, rules.OBSERVED_AFTER.name)
        self.assertEqual(list(verdict.clues), list(expected))

    def take(
        self, name: str, rank: int, iteration: int, *, at: int = 4, on: int = 1
    ) -> None:
        """Gives a step of the resume what another step of the whole has."""
        other = self.step(self.whole, rank, iteration)
        step = self.step(self.resumed, on, at)
        if name == "batch":
            step.batches[:] = other.batches
        else:
            step.random_streams["torch"] = other.random_streams["torch"]

    @parameterized.parameters(
        ("batch", _Clue(batch_of_iteration=2)),
        (observed_testing.STREAM, _Clue(random_of_iteration=2)),
    )
    def test_what_another_iteration_has(self, name: str, clue: _Clue) -> None:
        self.take(name, 1, 2)
        self.assert_clues(clue)

    @parameterized.parameters(
        ("batch", _Clue(batch_of_rank=0)),
        (observed_testing.STREAM, _Clue(random_of_rank=0)),
    )
    def test_what_another_rank_has(self, name: str, clue: _Clue) -> None:
        self.take(name, 0, 4)
        self.assert_clues(clue)

    @parameterized.parameters("batch", observed_testing.STREAM)
    def test_what_another_rank_has_in_another_iteration(
        self, name: str
    ) -> None:
        self.take(name, 0, 2)
        self.assert_clues()

    def test_what_nobody_has(self) -> None:
        self.step(self.resumed, 1, 4).batches[:] = ["new"]
        self.assert_clues()

    def test_the_own_rank_comes_first(self) -> None:
        for rank, iteration in ((0, 4), (1, 2), (1, 3)):
            self.step(self.whole, rank, iteration).batches[:] = ["same"]
        self.step(self.first, 1, 2).batches[:] = ["same"]
        self.step(self.first, 1, 3).batches[:] = ["same"]
        self.step(self.resumed, 1, 3).batches[:] = ["same"]
        self.step(self.resumed, 0, 4).batches[:] = ["same"]
        self.step(self.resumed, 1, 4).batches[:] = ["same"]
        # Of several iterations, the first.
        self.assert_clues(_Clue(batch_of_iteration=2))

    def test_another_rank_is_found_behind_its_other_iterations(self) -> None:
        for launch in (self.whole, self.first):
            self.step(launch, 0, 1).batches[:] = ["same"]
        for launch in (self.whole, self.resumed):
            self.step(launch, 0, 4).batches[:] = ["same"]
        self.step(self.resumed, 1, 4).batches[:] = ["same"]
        self.assert_clues(_Clue(batch_of_rank=0))

    def test_numbers_do_not_tell_batches_apart(self) -> None:
        for launch in self.all_launches():
            for rank in launch.observed:
                for step in rank.steps:
                    step.batches[:] = [
                        f"{one}+{step.iteration}" for one in step.batches
                    ]
        self.step(self.resumed, 1, 4).batches[:] = [
            "first_1_2+4",
            "second_1_2+4",
        ]
        self.assert_clues(_Clue(batch_of_iteration=2))

    def test_all_samples_of_a_batch_must_be_the_same(self) -> None:
        self.step(self.resumed, 1, 4).batches[:] = ["first_1_2", "second_1_3"]
        self.assert_clues()

    def test_steps_without_a_batch_are_passed_over(self) -> None:
        for launch in (self.whole, self.first):
            for iteration in (1, 3):
                del self.step(launch, 1, iteration).batches[:]
        self.take("batch", 1, 2)
        self.assert_clues(_Clue(batch_of_iteration=2))

    @parameterized.parameters("learning rate", "accuracy")
    def test_results_have_no_clue(self, name: str) -> None:
        group = "0" if name == "learning rate" else ""
        observed_testing.change(
            self.step(self.resumed, 1, 4), name, group, "0.9"
        )
        self.assert_clues()

    @parameterized.parameters(
        ("1.5", "3.0", 2.0),
        ("1.5 3.0", "0.1875 0.375", 0.125),
        ("1.5 0.0", "98304.0 0.0", 65536.0),
        # Another power, or none, of 2.
        ("1.5", "4.5", None),
        ("1.5 3.0", "3.0 12.0", None),
        ("1.5 3.0", "3.0 3.0", None),
        ("1.5", "-3.0", None),
        # Nothing to divide by, no numbers, and another number of them.
        ("0.0", "1.0", None),
        ("0.0", "nan", None),
        ("1.0", "inf", None),
        ("1.0", "nan", None),
        ("1.0", "none", None),
        ("1.0", "2.0 2.0", None),
        ("1.0 1.0", "2.0", None),
    )
    def test_a_loss_that_is_scaled(
        self, right: str, wrong: str, factor: float | None
    ) -> None:
        self.step(self.whole, 1, 4).losses[:] = right.split()
        self.step(self.resumed, 1, 4).losses[:] = wrong.split()
        self.assert_clues(
            *([] if factor is None else [_Clue(loss_factor=factor)])
        )


if __name__ == "__main__":
    absltest.main()
