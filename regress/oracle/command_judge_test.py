"""Tests for the verdict on a command, with records that are made here."""

from collections.abc import Mapping, Sequence

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import command_judge, verdict_pb2
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_Cause = run_pb2.ExitStatus
_NotJudged = verdict_pb2.NotJudged
_Clue = verdict_pb2.Clue
_LOSSES = {1: "4.0", 2: "3.0", 3: "2.0", 4: "1.0"}


def _attempt(
    index: int, losses: Mapping[int, str], *, killed: bool = False
) -> run_pb2.Attempt:
    events = [
        run_pb2.Event(
            printed=run_pb2.Printed(iteration=at, metrics={"loss": loss})
        )
        for at, loss in losses.items()
    ]
    status = run_pb2.ExitStatus(cause=_Cause.BY_ITSELF)
    if killed:
        status = run_pb2.ExitStatus(cause=_Cause.INTERRUPTED, signal=9)
    return run_pb2.Attempt(
        index=index,
        ranks=[run_pb2.RankRecord(exit=status, events=events)],
        interruption=run_pb2.InterruptionEvent(iteration=3) if killed else None,
        checkpoints_left=["ckpt.pt"],
    )


def _some(*iterations: int) -> dict[int, str]:
    return {at: _LOSSES[at] for at in iterations}


def _record() -> run_pb2.RunRecord:
    """Returns the record of an exact resume from iteration 2."""
    return run_pb2.RunRecord(
        command=case_pb2.CommandCase(
            ranks=1,
            checkpoints="ckpt.pt",
            interruption=[
                case_pb2.Interruption(iteration=3, signal=case_pb2.SIGKILL)
            ],
        ),
        attempts=[
            _attempt(0, _some(1, 2, 3), killed=True),
            _attempt(1, _some(3, 4)),
        ],
        uninterrupted=_attempt(0, _LOSSES),
        checkpoint=run_pb2.CheckpointComparison(
            a="ckpt.pt",
            b="ckpt.pt",
            common=3,
            names=["model/w", "optimizer/step", "epoch"],
            names_of_no_floats=["optimizer/step", "epoch"],
        ),
    )


class CommandJudgeTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.record = _record()

    def judge(self) -> verdict_pb2.Verdict:
        verdict = command_judge.judge(self.record)
        # The same record, the same verdict.
        self.assertEqual(command_judge.judge(self.record), verdict)
        return verdict

    def assert_concludes(self, conclusion: _Verdict.Conclusion) -> None:
        self.assertEqual(
            _Verdict.Conclusion.Name(self.judge().conclusion),
            _Verdict.Conclusion.Name(conclusion),
        )

    def resume_prints(self, losses: Mapping[int, str]) -> None:
        self.record.attempts[1].CopyFrom(_attempt(1, losses))

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

    def test_ranks_that_print_nothing_may_have_been_wrong_first(self) -> None:
        self.record.command.ranks = 3
        self.resume_prints({3: "2.0", 4: "1.1"})
        verdict = self.judge()
        self.assertIn(verdict_pb2.Clue(silent_ranks=2), verdict.clues)
        # What is wrong at once is the own.
        self.resume_prints({3: "2.1", 4: "1.1"})
        self.assertNotIn(verdict_pb2.Clue(silent_ranks=2), self.judge().clues)

    def test_a_loss_comes_before_what_follows_from_it(self) -> None:
        self.resume_prints({3: "2.1", 4: "1.1"})
        for launch in (*self.record.attempts, self.record.uninterrupted):
            for event in launch.ranks[0].events:
                loss = event.printed.metrics["loss"]
                event.printed.metrics["grad_norm"] = loss
        named = [one.metric.name for one in self.judge().findings]
        self.assertEqual(named, ["loss", "grad_norm", "loss", "grad_norm"])

    def test_names_the_state_that_the_checkpoint_lacks(self) -> None:
        self.resume_prints({3: "2.1", 4: "1.0"})
        self.assertEqual(
            [one.not_in_checkpoint for one in self.judge().clues[1:]],
            [verdict_pb2.Clue.RANDOM_STREAMS],
        )
        # It may be in what was not compared.
        self.record.checkpoint.not_compared.add(what="rank_1.json", why="no")
        self.assertLen(self.judge().clues, 1)

    def test_what_only_sounds_like_a_position_in_the_data(self) -> None:
        names = ["random_states", "scheduler/last_epoch", "__metadata__/format"]
        self.record.checkpoint.names_of_no_floats[:] = names
        self.resume_prints({3: "2.1", 4: "1.0"})
        self.assertEqual(
            [one.not_in_checkpoint for one in self.judge().clues[1:]],
            [verdict_pb2.Clue.DATA_POSITION],
        )

    def test_a_rate_points_to_the_scheduler(self) -> None:
        for loss, rate, clues in (
            ("2.0", "0.2", (0, _Clue.DIFFERS_ALONE, _Clue.SCHEDULER)),
            (
                "2.1",
                "0.2",
                (
                    0,
                    _Clue.DIFFERS_WITH_OTHERS,
                    _Clue.RANDOM_STREAMS,
                    _Clue.SCHEDULER,
                ),
            ),
            ("2.1", "0.1", (0, _Clue.RANDOM_STREAMS)),
        ):
            for one, of_loss, of_rate in (
                (self.record.uninterrupted, _LOSSES[3], "0.1"),
                (self.record.attempts[1], loss, rate),
            ):
                for event in one.ranks[0].events:
                    if event.printed.iteration == 3:
                        event.printed.metrics["loss"] = of_loss
                        event.printed.metrics["lr"] = of_rate
            self.assertEqual(
                tuple(
                    getattr(clue, str(clue.WhichOneof("kind")))
                    for clue in self.judge().clues
                ),
                clues,
            )

    def test_not_even_another_text_of_the_same_number_passes(self) -> None:
        self.resume_prints({3: "2.00", 4: "1.0"})
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)

    def test_a_first_attempt_that_differs_is_noise(self) -> None:
        self.record.attempts[0].CopyFrom(
            _attempt(0, {1: "4.0", 2: "3.5", 3: "2.0"}, killed=True)
        )
        self.resume_prints({3: "9", 4: "9"})
        self.assert_concludes(_Verdict.NONDETERMINISM)

    def test_a_repeat_tells_noise_from_a_fault(self) -> None:
        self.resume_prints({3: "9", 4: "9"})
        self.record.repeat.CopyFrom(_attempt(0, _LOSSES))
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertFalse(verdict.HasField("repeat_through"))
        self.record.repeat.CopyFrom(_attempt(0, {**_LOSSES, 4: "8"}))
        self.assert_concludes(_Verdict.NONDETERMINISM)

    def test_so_does_what_the_repeat_leaves(self) -> None:
        self.resume_prints({3: "9", 4: "9"})
        self.record.repeat.CopyFrom(_attempt(0, _LOSSES))
        self.record.repeated_checkpoint.CopyFrom(self.record.checkpoint)
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.record.repeated_checkpoint.differing = 1
        self.record.repeated_checkpoint.differences.add(name="w", a="1", b="2")
        self.assert_concludes(_Verdict.NONDETERMINISM)

    def test_state_that_no_number_shows_fails(self) -> None:
        self.record.checkpoint.differing = 1
        self.record.checkpoint.differences.add(
            name="optimizer/step",
            a="3.0",
            b="4.0",
            elements=1,
            of_elements=2,
            ulps=7,
        )
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        (found,) = verdict.findings
        self.assertEqual((found.ulps, found.after_iteration), (7, 4))
        (check,) = (o for o in verdict.checks if o.oracle == verdict_pb2.STATE)
        self.assertEqual((check.compared, check.differing), (3, 1))

    def test_another_newest_checkpoint_fails(self) -> None:
        self.record.checkpoint.b = "ckpt_old.pt"
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)

    def test_no_checkpoint_at_the_end_fails(self) -> None:
        self.record.checkpoint.CopyFrom(
            run_pb2.CheckpointComparison(a="ckpt.pt")
        )
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)

    def test_a_missing_iteration_fails(self) -> None:
        self.resume_prints(_some(4))
        self.assert_concludes(_Verdict.PASS)
        self.record.attempts[0].CopyFrom(_attempt(0, _some(1, 2), killed=True))
        self.assert_concludes(_Verdict.NOT_RESUMED)

    def test_a_resume_that_begins_anew_fails(self) -> None:
        self.resume_prints(_LOSSES)
        self.assert_concludes(_Verdict.NOT_RESUMED)

    def test_a_resume_with_nothing_to_do_fails(self) -> None:
        self.resume_prints({})
        self.assert_concludes(_Verdict.NOT_RESUMED)

    def test_one_without_a_checkpoint_fails(self) -> None:
        del self.record.attempts[0].checkpoints_left[:]
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
        self.resume_prints({**_some(3, 4), 5: "0.5"})
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

    def write_numbers(
        self, attempt: run_pb2.Attempt, folder: str, numbers: Mapping[int, str]
    ) -> run_pb2.EventFile:
        """Adds a file of TensorBoard to an attempt."""
        return attempt.event_files.add(
            path=f"{folder}/events",
            scalars=[
                run_pb2.Printed(iteration=at, metrics={"loss": text})
                for at, text in numbers.items()
            ],
        )

    def test_numbers_of_tensorboard_are_compared(self) -> None:
        first, resumed = self.record.attempts
        # Each launch has another folder, and counts from 0.
        self.write_numbers(first, "runs/1", {0: "4.01", 1: "3.01", 2: "2.01"})
        self.write_numbers(resumed, "runs/2", {2: "2.01", 3: "1.01"})
        whole = self.write_numbers(
            self.record.uninterrupted,
            "runs/3",
            {0: "4.01", 1: "3.01", 2: "2.01", 3: "1.01"},
        )
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        compared = {one.name: one.compared for one in verdict.checks}
        self.assertEqual(compared["log of the first attempt"], 6)
        self.assertEqual(compared["log of the resumes"], 4)
        whole.scalars[3].metrics["loss"] = "1.02"
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        (found,) = verdict.findings
        self.assertEqual(found.metric.name, "loss in TensorBoard")
        self.assertEqual((found.iteration, found.attempt), (3, 1))
        # Counted as TensorBoard does, not as the log.
        self.assertEqual(verdict.clues[0].right_after_resume, 1)

    def test_folders_of_tensorboard_are_told_apart(self) -> None:
        for index, attempt in enumerate(
            (*self.record.attempts, self.record.uninterrupted)
        ):
            for of, text in (("train", "1.0"), ("val", "2.0")):
                self.write_numbers(attempt, f"runs/{index}/{of}", {3: text})
        self.assert_concludes(_Verdict.PASS)
        self.record.attempts[1].event_files[1].scalars[0].metrics["loss"] = "3"
        (found,) = self.judge().findings
        self.assertEqual(found.metric.name, "loss of val in TensorBoard")

    def test_what_tensorboard_does_not_show_is_listed(self) -> None:
        self.record.command.tensorboard = "runs"
        self.assertIn(
            _NotJudged(kind=_NotJudged.NO_NUMBERS, what="runs"),
            self.judge().not_judged,
        )
        file = self.write_numbers(self.record.attempts[1], "runs", {3: "1"})
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


if __name__ == "__main__":
    absltest.main()
