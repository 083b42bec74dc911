"""Tests for the verdict on a command, with records that are made here."""

from collections.abc import Sequence

from absl.testing import absltest, parameterized

from regress.oracle import (
    command_judge,
    rules,
    verdict_pb2,
)
from regress.oracle import command_record_test_helper as helper
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_Cause = run_pb2.ExitStatus
_NotJudged = verdict_pb2.NotJudged
_Clue = verdict_pb2.Clue


class CommandJudgeTest(helper.CommandTestCase):
    def test_passes_an_exact_resume(self) -> None:
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        self.assertEmpty(verdict.not_judged)
        self.assertEqual(
            {one.name: one.compared for one in verdict.checks},
            {
                "the command ended well": 3,
                "the command ended in time": 3,
                "the command was interrupted": 1,
                "a checkpoint to resume from": 1,
                "the resume did not begin anew": 1,
                "every iteration in the log": 4,
                "nothing logged after the end": 1,
                "checkpoint of the end": 3,
                "log of the first attempt": 3,
                "log of the resumes": 2,
            },
        )

    def test_a_digit_that_differs_fails(self) -> None:
        self.resume_prints({3: "2.0", 4: "1.1"})
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertEqual(verdict.first_bad_iteration, 4)
        self.assertAlmostEqual(verdict.findings[0].absolute, 0.1)
        self.assertEqual(verdict.clues[0].right_after_resume, 1)
        # No name is like a scheduler's; there is one like an optimizer's.
        self.assertEqual(
            [one.not_in_checkpoint for one in verdict.clues[1:]],
            [verdict_pb2.Clue.SCHEDULER],
        )
        self.assertEqual(verdict.repeat_through, 4)

    def test_not_even_another_text_of_the_same_number_passes(self) -> None:
        self.resume_prints({3: "2.00", 4: "1.0"})
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)

    def test_a_first_attempt_that_differs_is_noise(self) -> None:
        self.record.attempts[0].CopyFrom(
            helper.attempt(0, {1: "4.0", 2: "3.5", 3: "2.0"}, killed=True)
        )
        self.resume_prints({3: "9", 4: "9"})
        self.assert_concludes(_Verdict.NONDETERMINISM)

    def test_a_repeat_tells_noise_from_a_fault(self) -> None:
        self.resume_prints({3: "9", 4: "9"})
        self.record.repeat.CopyFrom(helper.attempt(0, helper.LOSSES))
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertFalse(verdict.HasField("repeat_through"))
        self.record.repeat.CopyFrom(
            helper.attempt(0, {**helper.LOSSES, 4: "8"})
        )
        self.assert_concludes(_Verdict.NONDETERMINISM)

    def test_so_does_what_the_repeat_leaves(self) -> None:
        self.resume_prints({3: "9", 4: "9"})
        self.record.repeat.CopyFrom(helper.attempt(0, helper.LOSSES))
        self.record.repeated_checkpoint.CopyFrom(self.record.checkpoint)
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.record.repeated_checkpoint.differing = 1
        self.record.repeated_checkpoint.differences.add(name="w", a="1", b="2")
        self.assert_concludes(_Verdict.NONDETERMINISM)

    def test_state_that_no_number_shows_fails(self) -> None:
        array = self.differ("optimizer/step", "3.0", "4.0")
        array.elements, array.of_elements, array.ulps = 1, 2, 7
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        (found,) = verdict.findings
        self.assertEqual((found.ulps, found.after_iteration), (7, 4))
        (check,) = (o for o in verdict.checks if o.oracle == verdict_pb2.STATE)
        self.assertEqual((check.compared, check.differing), (3, 1))

    def test_no_checkpoint_at_the_end_fails(self) -> None:
        self.record.checkpoint.CopyFrom(
            run_pb2.CheckpointComparison(a="ckpt.pt")
        )
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)

    def test_a_missing_iteration_fails(self) -> None:
        self.resume_prints(helper.some(4))
        self.assert_concludes(_Verdict.PASS)
        self.record.attempts[0].CopyFrom(
            helper.attempt(0, helper.some(1, 2), killed=True)
        )
        self.assert_concludes(_Verdict.NOT_RESUMED)

    def test_a_run_that_fails_is_a_crash(self) -> None:
        for one in (
            self.record.attempts[0],
            self.record.attempts[1],
            self.record.uninterrupted,
        ):
            before = run_pb2.Attempt()
            before.CopyFrom(one)
            one.ranks[0].exit.CopyFrom(
                run_pb2.ExitStatus(cause=_Cause.BY_ITSELF, code=1)
            )
            self.assert_concludes(_Verdict.CRASH)
            one.CopyFrom(before)
        self.assert_concludes(_Verdict.PASS)

    def test_what_the_log_has_more_is_not_judged(self) -> None:
        self.record.attempts[0].CopyFrom(
            helper.attempt(0, helper.some(2), killed=True)
        )
        self.record.uninterrupted.CopyFrom(helper.attempt(0, helper.some(2, 4)))
        self.resume_prints({4: "1.0", 5: "0.5"})
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        self.assertEqual(
            list(verdict.not_judged),
            [_NotJudged(kind=_NotJudged.EXTRA_ITERATIONS, count=1)],
        )

    def test_ranks_are_counted(self) -> None:
        self.record.command.ranks = 2
        for found, conclusion in (
            ({0: 10, 1: 11}, _Verdict.PASS),
            ({0: 10}, _Verdict.WRONG_ENVIRONMENT),
            ({0: 10, 1: 11, 2: 12}, _Verdict.WRONG_ENVIRONMENT),
        ):
            events = self.record.attempts[1].ranks[0].events
            events.add(command_processes=run_pb2.CommandProcesses(ranks=found))
            self.assert_concludes(conclusion)
            del events[-1]

    @parameterized.parameters(
        (["checkpoint"], _Verdict.PASS, [_NotJudged.CHECKPOINTS]),
        (["loss"], _Verdict.PASS, [_NotJudged.METRICS]),
        (
            ["checkpoint", "loss"],
            _Verdict.CONCLUSION_UNSPECIFIED,
            [_NotJudged.CHECKPOINTS, _NotJudged.METRICS],
        ),
    )
    def test_what_is_not_there_is_neither_right_nor_wrong(
        self,
        without: Sequence[str],
        conclusion: _Verdict.Conclusion,
        kinds: Sequence[_NotJudged.Kind],
    ) -> None:
        if "checkpoint" in without:
            self.record.command.checkpoints = ""
            self.record.ClearField("checkpoint")
        if "loss" in without:
            for one in (*self.record.attempts, self.record.uninterrupted):
                for event in one.ranks[0].events:
                    event.printed.metrics.clear()
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, conclusion)
        self.assertEqual([one.kind for one in verdict.not_judged], kinds)

    def test_a_checkpoint_of_an_unknown_format_is_not_judged(self) -> None:
        self.record.checkpoint.CopyFrom(
            run_pb2.CheckpointComparison(
                a="x.json",
                b="x.json",
                not_compared=[run_pb2.NotCompared(what="x.json", why="no")],
            )
        )
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        self.assertEqual(
            [one.kind for one in verdict.not_judged], [_NotJudged.NOT_COMPARED]
        )

    def test_any_record_can_be_judged(self) -> None:
        for record in (
            run_pb2.RunRecord(),
            run_pb2.RunRecord(attempts=[run_pb2.Attempt()]),
            run_pb2.RunRecord(uninterrupted=run_pb2.Attempt()),
        ):
            self.assertNotEqual(
                command_judge.judge(record).conclusion, _Verdict.PASS
            )

    def test_what_tensorboard_does_not_show_is_listed(self) -> None:
        self.record.command.tensorboard = "runs"
        self.assertIn(
            _NotJudged(kind=_NotJudged.NO_NUMBERS, what="runs"),
            self.judge().not_judged,
        )
        file = helper.write_numbers(self.record.attempts[1], "runs", {3: "1"})
        file.damage = "damaged at byte 7: no"
        file.left_out = 5
        self.assertEqual(
            list(self.judge().not_judged),
            [
                _NotJudged(
                    kind=_NotJudged.NOT_COMPARED,
                    what="runs/events",
                    why="damaged at byte 7: no",
                ),
                _NotJudged(kind=_NotJudged.MORE_NUMBERS, count=5),
            ],
        )

    def test_outlines_the_run(self) -> None:
        helper.interrupt_twice(self.record)
        self.assertEqual(
            self.judge().outline,
            verdict_pb2.Outline(
                interruption=self.record.command.interruption,
                resume_iteration=[3, 3],
                iterations=4,
                of_command=True,
            ),
        )
        # The second resume never was, and the first one printed nothing.
        self.record.attempts[1].CopyFrom(helper.attempt(1, {}))
        del self.record.attempts[2]
        self.record.ClearField("uninterrupted")
        outline = self.judge().outline
        self.assertEqual(outline.resume_iteration, [0, 0])
        self.assertEqual(outline.iterations, 0)

    def test_judges_no_more_launches_than_there_are(self) -> None:
        self.record.ClearField("uninterrupted")
        self.assertEqual(self.counts_of(rules.COMMAND_EXITS), (2, 0))
        self.assertEqual(self.counts_of(rules.COMMAND_IN_TIME), (2, 0))

    def test_the_end_is_that_of_the_last_attempt(self) -> None:
        helper.interrupt_twice(self.record)
        self.differ("w", "1", "2")
        (found,) = self.judge().findings
        self.assertEqual(found.attempt, 2)

    def test_a_repeat_is_named_as_such(self) -> None:
        self.resume_prints({3: "9", 4: "9"})
        self.record.repeat.CopyFrom(
            helper.attempt(0, {**helper.LOSSES, 4: "8"})
        )
        (found,) = self.found_by(rules.REPEAT_PRINTED)
        self.assertTrue(found.of_repeat)
        self.record.repeat.ranks[0].exit.code = 1
        (found,) = self.found_by(rules.COMMAND_EXITS)
        self.assertTrue(found.of_repeat)

    def test_an_uninterrupted_run_may_print_nothing(self) -> None:
        self.record.uninterrupted.CopyFrom(helper.attempt(0, {}))
        self.differ("w", "1", "2")
        self.assert_concludes(_Verdict.NOT_RESUMED)
        (found,) = self.found_by(rules.END_STATE)
        self.assertEqual(found.after_iteration, 0)

    def test_the_end_of_a_run_explains_what_it_lacks(self) -> None:
        self.resume_prints(helper.LOSSES)
        self.record.attempts[1].ranks[0].exit.code = 1
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.CRASH)
        self.assertEqual(
            [one.check for one in verdict.findings], [rules.COMMAND_EXITS.name]
        )
        self.assertEqual(self.counts_of(rules.NOT_BEGUN_ANEW), (1, 1))

    def test_the_conclusion_comes_before_its_consequences(self) -> None:
        self.resume_prints(helper.LOSSES)
        # TensorBoard may count from 0.
        helper.write_numbers(self.record.attempts[1], "runs", {0: "5"})
        helper.write_numbers(self.record.uninterrupted, "runs", {0: "6"})
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NOT_RESUMED)
        self.assertEqual(
            [one.check for one in verdict.findings],
            [rules.NOT_BEGUN_ANEW.name, rules.PRINTED_AFTER.name],
        )

    def test_what_has_nothing_to_compare_is_no_consequence(self) -> None:
        self.record.uninterrupted.CopyFrom(helper.attempt(0, {}))
        self.record.command.ranks = 2
        self.record.attempts[1].ranks[0].events.add(
            command_processes=run_pb2.CommandProcesses(ranks={0: 10})
        )
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.WRONG_ENVIRONMENT)
        self.assertEqual(self.counts_of(rules.ITERATIONS_PRINTED), (0, 0))
        self.assertEqual(
            [one.check for one in verdict.findings], [rules.COMMAND_RANKS.name]
        )

    def test_what_is_printed_comes_before_what_is_left(self) -> None:
        self.resume_prints({3: "9", 4: "1.0"})
        self.differ("w", "1", "2")
        verdict = self.judge()
        self.assertEqual(
            [one.check for one in verdict.findings],
            [rules.PRINTED_AFTER.name, rules.END_STATE.name],
        )
        self.assertFalse(verdict.HasField("restored_state"))

    def test_lists_the_first_files_that_were_not_compared(self) -> None:
        for index in range(20):
            self.record.checkpoint.not_compared.add(
                what=f"{index}.json", why="no format"
            )
        listed = [
            _NotJudged(
                kind=_NotJudged.NOT_COMPARED,
                what=f"{index}.json",
                why="no format",
            )
            for index in range(20)
        ]
        self.assertEqual(list(self.judge().not_judged), listed)
        for index in range(3):
            self.record.checkpoint.not_compared.add(what=f"more {index}.json")
        self.assertEqual(
            list(self.judge().not_judged),
            [*listed, _NotJudged(kind=_NotJudged.NOT_COMPARED, count=3)],
        )

    def test_lists_what_was_not_recorded_and_what_went_on(self) -> None:
        for attempt, lines, process in (
            (self.record.attempts[0], 2, "log (process 1) (process 4711)"),
            (self.record.attempts[1], 3, "log (process 1) (process 4712)"),
        ):
            attempt.ranks[0].events.add(
                command_end=run_pb2.CommandEnd(
                    lines_left_out=lines, left_running=[process]
                )
            )
        self.assertEqual(
            list(self.judge().not_judged),
            [
                _NotJudged(kind=_NotJudged.MORE_LINES, count=5),
                _NotJudged(
                    kind=_NotJudged.LEFT_RUNNING, what="log (process 1)"
                ),
            ],
        )

    def test_only_the_resume_may_leave_a_checkpoint(self) -> None:
        self.record.checkpoint.CopyFrom(
            run_pb2.CheckpointComparison(b="ckpt.pt")
        )
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        self.assertEqual(
            list(verdict.not_judged),
            [_NotJudged(kind=_NotJudged.NO_CHECKPOINT, what="ckpt.pt")],
        )


class ObservedCommandTest(helper.CommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        helper.observe(self.record)
        self.resumed = self.record.attempts[1].observed[0]

    def test_passes_an_exact_resume(self) -> None:
        self.record.repeat.CopyFrom(self.record.uninterrupted)
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        self.assertEmpty(verdict.not_judged)
        self.assertEmpty(verdict.clues)
        self.assertEqual(
            {one.name: one.compared for one in verdict.checks},
            {
                "the newest checkpoint was resumed": 1,
                "the ranks are observed": 4,
                "the command ended well": 4,
                "the command ended in time": 4,
                "the command was interrupted": 1,
                "a checkpoint to resume from": 1,
                "the resume did not begin anew": 1,
                "every iteration in the log": 4,
                "nothing logged after the end": 1,
                "each rank has finished": 1,
                "last step of each rank": 1,
                "checkpoint of the end": 3,
                "what was loaded is what was saved": 2,
                "state as the resume begins": 2,
                # A batch and a loss each.
                "steps of the first attempt": 6,
                "steps of the resumes": 4,
                "saves of the resumes": 2,
                "steps of an uninterrupted repeat": 8,
                "log of the first attempt": 3,
                "log of the resumes": 2,
                "log of a second uninterrupted run": 4,
            },
        )
        self.assertEqual(
            verdict.restored_state,
            verdict_pb2.RestoredState(
                iteration=2,
                kinds=[
                    verdict_pb2.RestoredKind(kind="param", entries=1),
                    verdict_pb2.RestoredKind(kind="exp_avg", entries=1),
                ],
            ),
        )

    def test_what_ranks_tell_is_shown_without_a_log(self) -> None:
        for attempt in (*self.record.attempts, self.record.uninterrupted):
            for event in attempt.ranks[0].events:
                event.printed.metrics.clear()
        self.record.ClearField("checkpoint")
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        self.assertEmpty(verdict.not_judged)

    def test_lists_what_is_not_observed(self) -> None:
        self.record.command.checkpoints = ""
        self.resumed.problems.append("a hook failed")
        del self.resumed.states[1:]
        for attempt in (*self.record.attempts, self.record.uninterrupted):
            for step in attempt.observed[0].steps:
                del step.losses[:]
        self.assertEqual(
            list(self.judge().not_judged),
            [
                _NotJudged(kind=_NotJudged.CHECKPOINTS),
                _NotJudged(
                    kind=_NotJudged.OBSERVED_IN_PART, what="a hook failed"
                ),
                _NotJudged(
                    kind=_NotJudged.NOT_OBSERVED,
                    what="loss of the backward pass",
                ),
                _NotJudged(kind=_NotJudged.STATE_AS_BEGUN),
            ],
        )

    def test_a_wrong_number_may_be_noise(self) -> None:
        self.resumed.steps[0].losses[:] = ["4.0"]
        self.resumed.steps[1].batches[:] = ["batch-2"]
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertEqual(verdict.first_bad_iteration, 3)
        self.assertEqual(verdict.repeat_through, 4)
        # Of the first finding, and not of the second.
        self.assertEqual(list(verdict.clues), [_Clue(loss_factor=2)])

    def test_a_wrong_batch_is_no_noise(self) -> None:
        self.resumed.steps[0].batches[:] = ["batch-2"]
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertFalse(verdict.HasField("repeat_through"))
        self.assertEqual(list(verdict.clues), [_Clue(batch_of_iteration=2)])

    def test_wrong_state_is_no_noise(self) -> None:
        for moment, rule in (
            (run_pb2.StateDigest.LOADED, rules.OBSERVED_LOADED),
            (run_pb2.StateDigest.CONTINUED, rules.OBSERVED_BEGUN),
        ):
            (state,) = (
                one for one in self.resumed.states if one.moment == moment
            )
            right = state.entries[0].digest
            state.entries[0].digest = "other"
            verdict = self.judge()
            self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
            self.assertEqual(verdict.findings[0].check, rule.name)
            self.assertFalse(verdict.HasField("repeat_through"))
            state.entries[0].digest = right

    def test_a_wrong_save_is_no_explanation(self) -> None:
        self.resumed.states[2].entries[0].digest = "other"
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertEqual(verdict.findings[0].check, rules.OBSERVED_SAVES.name)
        self.assertEqual(verdict.repeat_through, 4)


if __name__ == "__main__":
    absltest.main()
