"""Tests for the verdict on what ranks tell, with records that are made here."""

from collections.abc import Iterator, Sequence

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import command_judge, rules, verdict_pb2
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_Cause = run_pb2.ExitStatus
_NotJudged = verdict_pb2.NotJudged
_Clue = verdict_pb2.Clue
_Fact = verdict_pb2.Fact
_Metric = verdict_pb2.Metric
_State = run_pb2.StateDigest

_RANKS = (0, 1)
_LAST = 6
# Attempt 0 saves after iteration 2 and is killed in iteration 3.
_SAVED = 2
_STREAM = "random stream of torch"
_LOSS = "loss of the backward pass"
# All that is told of a step, from cause to consequence.
_METRICS = (
    ("random stream of Python", ""),
    (_STREAM, ""),
    ("batch", ""),
    (_LOSS, ""),
    ("learning rate", "0"),
    ("weight decay", "0"),
    ("learning rate", "1"),
    ("weight decay", "1"),
    ("accuracy", ""),
    ("grad norm", ""),
)
# Kinds from consequence to cause, so that it shows if they are put in order.
_ENTRIES = ("rng/torch", "exp_avg/w", "param/b", "param/w", "iteration")


def _step(rank: int, iteration: int) -> run_pb2.ObservedStep:
    at = f"{rank} {iteration}"
    losses = (8.0 - iteration + 0.5 * rank, 9.0 - iteration + 0.5 * rank)
    return run_pb2.ObservedStep(
        iteration=iteration,
        random_streams={"torch": f"torch {at}", "Python": f"Python {at}"},
        batches=[f"first_{rank}_{iteration}", f"second_{rank}_{iteration}"],
        losses=[repr(loss) for loss in losses],
        groups=[
            run_pb2.ObservedGroup(
                rates={
                    "weight decay": f"0.0{group}",
                    "learning rate": f"0.{iteration}{group}",
                }
            )
            for group in range(2)
        ],
        metrics={"grad norm": f"1.{iteration}", "accuracy": f"0.{iteration}"},
    )


def _change(
    step: run_pb2.ObservedStep, name: str, group: str, text: str
) -> None:
    """Makes the ranks tell something else of a step."""
    if name.startswith("random stream of "):
        step.random_streams[name.removeprefix("random stream of ")] = text
    elif name == "batch":
        step.batches[:] = text.split()
    elif name == _LOSS:
        step.losses[:] = text.split()
    elif group:
        step.groups[int(group)].rates[name] = text
    else:
        step.metrics[name] = text


def _state(
    moment: _State.Moment,
    rank: int,
    iteration: int,
    names: Sequence[str] = _ENTRIES,
) -> _State:
    return _State(
        moment=moment,
        iteration=iteration,
        path=f"rank_{rank}_after_{iteration}.pt",
        entries=[
            run_pb2.StateEntry(
                name=name,
                digest=f"{name} {rank} {iteration}",
                description=f"float32[{len(name)}]",
            )
            for name in names
        ],
    )


def _rank(rank: int, steps: range) -> run_pb2.ObservedRank:
    """Returns what a rank tells that saves after every second step."""
    states = []
    loaded = steps.start - 1
    if loaded:
        states = [
            _state(_State.LOADED, rank, loaded),
            _state(_State.CONTINUED, rank, loaded),
        ]
    for at in steps:
        if at % 2 == 0:
            states.append(_state(_State.SAVED, rank, at))
            if not loaded:
                states.append(_state(_State.CONTINUED, rank, at))
    return run_pb2.ObservedRank(
        rank=rank,
        steps=[_step(rank, at) for at in steps],
        states=states,
        finished=_LAST if _LAST in steps else None,
    )


def _launch(index: int, first: int, last: int) -> run_pb2.Attempt:
    killed = last < _LAST
    status = run_pb2.ExitStatus(cause=_Cause.BY_ITSELF)
    if killed:
        status = run_pb2.ExitStatus(cause=_Cause.INTERRUPTED, signal=9)
    return run_pb2.Attempt(
        index=index,
        ranks=[run_pb2.RankRecord(exit=status)],
        interruption=run_pb2.InterruptionEvent(iteration=last)
        if killed
        else None,
        checkpoints_left=["ckpt.pt"],
        observed=[_rank(rank, range(first, last + 1)) for rank in _RANKS],
    )


def _record() -> run_pb2.RunRecord:
    """Returns the record of an exact resume from iteration 2, on two ranks."""
    return run_pb2.RunRecord(
        command=case_pb2.CommandCase(
            ranks=len(_RANKS),
            observe=True,
            checkpoints="ckpt.pt",
            interruption=[
                case_pb2.Interruption(iteration=3, signal=case_pb2.SIGKILL)
            ],
        ),
        attempts=[_launch(0, 1, 3), _launch(1, 3, _LAST)],
        uninterrupted=_launch(0, 1, _LAST),
        checkpoint=run_pb2.CheckpointComparison(
            a="ckpt.pt", b="ckpt.pt", common=1, names=["w"]
        ),
    )


def _place(finding: verdict_pb2.Finding) -> tuple[int, int, int]:
    return finding.attempt, finding.rank, finding.iteration


class ObservedTestCase(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.record = _record()

    @property
    def whole(self) -> run_pb2.Attempt:
        """The run that nobody interrupts."""
        return self.record.uninterrupted

    @property
    def first(self) -> run_pb2.Attempt:
        """The attempt that is interrupted."""
        return self.record.attempts[0]

    @property
    def resumed(self) -> run_pb2.Attempt:
        """The attempt that resumes."""
        return self.record.attempts[1]

    def interrupt_again(self) -> None:
        """Makes attempt 1 end in iteration 5, and attempt 2 the last."""
        self.record.command.interruption.add(
            iteration=5, signal=case_pb2.SIGKILL
        )
        self.resumed.CopyFrom(_launch(1, 3, 5))
        self.record.attempts.append(_launch(2, 5, _LAST))

    def step(
        self, launch: run_pb2.Attempt, rank: int, iteration: int
    ) -> run_pb2.ObservedStep:
        (found,) = (
            step
            for step in launch.observed[rank].steps
            if step.iteration == iteration and not step.optimizer
        )
        return found

    def state(
        self,
        launch: run_pb2.Attempt,
        rank: int,
        moment: _State.Moment,
        iteration: int,
    ) -> _State:
        (found,) = (
            state
            for state in launch.observed[rank].states
            if (state.moment, state.iteration) == (moment, iteration)
        )
        return found

    def change_entries(self, state: _State, *names: str) -> None:
        """Gives entries of a state another digest."""
        for entry in state.entries:
            if entry.name in names:
                entry.digest = "other"

    def all_launches(self) -> Iterator[run_pb2.Attempt]:
        yield from self.record.attempts
        yield self.whole

    def judge(self) -> _Verdict:
        verdict = command_judge.judge(self.record)
        # The same record, the same verdict.
        self.assertEqual(command_judge.judge(self.record), verdict)
        return verdict

    def counts(self, rule: rules.Rule) -> tuple[int, int] | None:
        """Returns how much a check compares, and how much of it differs."""
        return next(
            (
                (one.compared, one.differing)
                for one in self.judge().checks
                if one.name == rule.name
            ),
            None,
        )

    def findings(self, rule: rules.Rule) -> list[verdict_pb2.Finding]:
        return [one for one in self.judge().findings if one.check == rule.name]

    def assert_concludes(self, conclusion: _Verdict.Conclusion) -> None:
        self.assertEqual(
            _Verdict.Conclusion.Name(self.judge().conclusion),
            _Verdict.Conclusion.Name(conclusion),
        )

    def assert_not_judged(self, *expected: _NotJudged) -> None:
        self.assertEqual(list(self.judge().not_judged), list(expected))


class ExactTest(ObservedTestCase):
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
                "what was loaded is what was saved": 2 * 5,
                "state as the resume begins": 2 * 5,
                "checkpoint of the end": 1,
                "steps of the first attempt": 2 * 3 * len(_METRICS),
                "steps of the resumes": 2 * 4 * len(_METRICS),
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
            (rules.OBSERVED_AFTER, 2 * (3 + 2) * len(_METRICS)),
            (rules.OBSERVED_SAVES, 2 * 2 * 5),
        ):
            self.assertEqual(self.counts(rule), (compared, 0), rule.name)


class StepsTest(ObservedTestCase):
    @parameterized.parameters(*_METRICS)
    def test_names_what_differs(self, name: str, group: str) -> None:
        # Batches and losses are the texts of all forward and backward passes.
        right, wrong = "0.25 0.5", "0.25 0.7"
        _change(self.step(self.whole, 1, 4), name, group, right)
        _change(self.step(self.resumed, 1, 4), name, group, wrong)
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(
            self.counts(rules.OBSERVED_AFTER), (8 * len(_METRICS), 1)
        )
        (found,) = self.findings(rules.OBSERVED_AFTER)
        self.assertEqual(found.metric, _Metric(name=name, param_group=group))
        self.assertEqual(_place(found), (1, 1, 4))
        self.assertEqual(
            (found.expected.text, found.actual.text), (right, wrong)
        )
        self.assertEqual(self.judge().first_bad_iteration, 4)

    def test_the_cause_comes_before_its_consequences(self) -> None:
        for iteration in (4, 3):
            for name, group in _METRICS:
                step = self.step(self.resumed, 0, iteration)
                _change(step, name, group, "0.9 0.9")
        self.assertEqual(
            [
                (one.iteration, one.metric.name, one.metric.param_group)
                for one in self.findings(rules.OBSERVED_AFTER)
            ],
            [(at, name, group) for at in (3, 4) for name, group in _METRICS],
        )

    @parameterized.parameters(
        (_STREAM, "batch"),
        ("batch", _LOSS),
        (_LOSS, "learning rate"),
        ("weight decay", "accuracy"),
    )
    def test_so_does_that_of_another_rank(
        self, cause: str, consequence: str
    ) -> None:
        for rank, name in ((0, consequence), (1, cause)):
            group = "0" if name in ("learning rate", "weight decay") else ""
            _change(self.step(self.resumed, rank, 3), name, group, "0.9")
        self.assertEqual(
            [
                (one.rank, one.metric.name)
                for one in self.findings(rules.OBSERVED_AFTER)
            ],
            [(1, cause), (0, consequence)],
        )

    def test_noise_is_no_fault_of_the_resume(self) -> None:
        self.step(self.first, 1, 3).losses[0] = "0.1"
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NONDETERMINISM)
        (found,) = verdict.findings
        self.assertEqual(found.check, rules.OBSERVED_BEFORE.name)
        self.assertEqual(_place(found), (0, 1, 3))
        self.assertEqual(
            self.counts(rules.OBSERVED_BEFORE), (6 * len(_METRICS), 1)
        )

    def test_a_repeat_tells_noise_from_a_fault(self) -> None:
        self.step(self.resumed, 0, 6).losses[0] = "0.1"
        self.assertEqual(self.judge().repeat_through, _LAST)
        self.record.repeat.CopyFrom(_launch(0, 1, _LAST))
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(
            self.counts(rules.OBSERVED_REPEATED), (12 * len(_METRICS), 0)
        )
        self.step(self.record.repeat, 0, 6).losses[0] = "0.2"
        self.assert_concludes(_Verdict.NONDETERMINISM)
        (found,) = self.findings(rules.OBSERVED_REPEATED)
        self.assertEqual((found.rank, found.iteration), (0, 6))
        self.assertTrue(found.of_repeat)

    def test_a_rank_that_the_whole_run_lacks_is_not_compared(self) -> None:
        del self.whole.observed[0]
        self.assertEqual(
            self.counts(rules.OBSERVED_AFTER), (4 * len(_METRICS), 0)
        )

    def test_a_step_that_it_lacks_is_not_compared(self) -> None:
        del self.whole.observed[0].steps[3]
        self.assertEqual(
            self.counts(rules.OBSERVED_AFTER), (7 * len(_METRICS), 0)
        )

    def test_what_either_does_not_tell_of_a_step_is_not_compared(self) -> None:
        self.step(self.whole, 0, 3).random_streams.clear()
        step = self.step(self.resumed, 1, 4)
        del step.batches[:]
        del step.losses[:]
        self.assertEqual(
            self.counts(rules.OBSERVED_AFTER), (8 * len(_METRICS) - 4, 0)
        )

    def test_runs_without_a_common_step_are_not_compared(self) -> None:
        for rank in self.whole.observed:
            del rank.steps[:3]
        self.assertIsNone(self.counts(rules.OBSERVED_BEFORE))
        self.assertIsNotNone(self.counts(rules.OBSERVED_AFTER))

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
            self.counts(rules.OBSERVED_AFTER), (8 * len(_METRICS) + 14, 0)
        )
        self.resumed.observed[1].steps[-1].losses[0] = "0.9"
        (found,) = self.findings(rules.OBSERVED_AFTER)
        self.assertEqual(_place(found), (1, 1, 7))
        self.assertEqual(
            (found.expected.text, found.actual.text), ("0.7", "0.9")
        )


class UnsteadyTest(ObservedTestCase):
    def test_streams_that_nobody_seeds_are_not_judged(self) -> None:
        # One value is enough.
        self.step(self.whole, 1, 2).random_streams["torch"] = "another"
        self.step(self.resumed, 0, 4).random_streams["torch"] = "another"
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(
            _NotJudged(kind=_NotJudged.UNSTEADY_STREAM, what=_STREAM)
        )
        self.assertEqual(
            self.counts(rules.OBSERVED_AFTER), (8 * (len(_METRICS) - 1), 0)
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

    def test_entries_that_differ_from_the_beginning_are_not_judged(
        self,
    ) -> None:
        saved = self.state(self.first, 1, _State.SAVED, _SAVED)
        self.change_entries(saved, "rng/torch")
        # Neither are they then on the other rank, whenever it is.
        for state in self.resumed.observed[0].states:
            self.change_entries(state, "rng/torch")
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(
            _NotJudged(kind=_NotJudged.UNSTEADY_ENTRY, what="rng/torch")
        )
        for rule, compared in (
            (rules.OBSERVED_LOADED, 2 * 4),
            (rules.OBSERVED_BEGUN, 2 * 4),
            (rules.OBSERVED_SAVES, 2 * 2 * 4),
        ):
            self.assertEqual(self.counts(rule), (compared, 0), rule.name)

    def test_they_are_listed_in_order_up_to_a_bound(self) -> None:
        names = [f"rng/{index:02}" for index in range(25)]
        for launch, digest in ((self.first, "one"), (self.whole, "two")):
            saved = self.state(launch, 0, _State.SAVED, _SAVED)
            for name in reversed(names):
                saved.entries.add(name=name, digest=digest)
        self.assertEqual(
            [
                one.what
                for one in self.judge().not_judged
                if one.kind == _NotJudged.UNSTEADY_ENTRY
            ],
            names[:20],
        )

    def test_an_entry_that_one_run_does_not_save_is_none_of_them(self) -> None:
        saved = self.state(self.whole, 0, _State.SAVED, _SAVED)
        del saved.entries[0]
        saved = self.state(self.first, 1, _State.SAVED, _SAVED)
        del saved.entries[0]
        self.assert_not_judged()

    def test_saves_that_only_one_run_has_tell_of_none(self) -> None:
        saved = self.state(self.whole, 0, _State.SAVED, _SAVED)
        saved.iteration = 1
        self.change_entries(saved, "rng/torch")
        self.assert_not_judged()
        del self.whole.observed[0]
        self.assert_not_judged()


class NotComparedTest(ObservedTestCase):
    def test_entries_that_the_case_names_are_not_compared(self) -> None:
        self.record.command.not_compared.extend(["^param/", "torch$"])
        for state in self.resumed.observed[0].states:
            self.change_entries(state, "param/w", "rng/torch")
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged()
        for rule, compared in (
            (rules.OBSERVED_LOADED, 2 * 2),
            (rules.OBSERVED_BEGUN, 2 * 2),
            (rules.OBSERVED_SAVES, 2 * 2 * 2),
        ):
            self.assertEqual(self.counts(rule), (compared, 0), rule.name)

    def test_all_others_are(self) -> None:
        self.record.command.not_compared.extend(["^param/", "torch$"])
        state = self.state(self.resumed, 0, _State.SAVED, 4)
        self.change_entries(state, "exp_avg/w")
        (found,) = self.findings(rules.OBSERVED_SAVES)
        self.assertEqual(found.state_entry.kind, "exp_avg")

    def test_a_file_of_which_nothing_is_compared_is_no_fault(self) -> None:
        for launch, moment, at, time in (
            (self.first, _State.SAVED, _SAVED, "12:02"),
            (self.resumed, _State.LOADED, _SAVED, "12:02"),
            (self.resumed, _State.SAVED, 4, "12:04"),
            (self.whole, _State.SAVED, _SAVED, "13:02"),
            (self.whole, _State.SAVED, 4, "13:04"),
        ):
            state = launch.observed[0].states.add(
                moment=moment, iteration=at, path="time.json"
            )
            state.entries.add(name="time", digest=time)
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(
            _NotJudged(kind=_NotJudged.UNSTEADY_ENTRY, what="time")
        )
        self.assertEqual(self.counts(rules.OBSERVED_LOADED), (10, 0))
        self.assertEqual(self.counts(rules.OBSERVED_SAVES), (20, 0))

    def test_nor_is_it_if_the_case_leaves_all_out(self) -> None:
        self.record.command.not_compared.append("")
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(_NotJudged(kind=_NotJudged.STATE_AS_BEGUN))
        for rule in (
            rules.OBSERVED_LOADED,
            rules.OBSERVED_BEGUN,
            rules.OBSERVED_SAVES,
        ):
            self.assertIsNone(self.counts(rule), rule.name)

    def test_a_file_that_one_run_leaves_empty_is(self) -> None:
        del self.state(self.resumed, 0, _State.SAVED, 4).entries[:]
        self.assertEqual(self.counts(rules.OBSERVED_SAVES), (20, 5))
        del self.state(self.whole, 1, _State.SAVED, 6).entries[:]
        self.assertEqual(self.counts(rules.OBSERVED_SAVES), (21, 11))
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)


class LoadedTest(ObservedTestCase):
    def test_names_what_is_not_as_it_was_saved(self) -> None:
        self.interrupt_again()
        loaded = self.state(self.record.attempts[2], 1, _State.LOADED, 4)
        self.change_entries(loaded, "param/w")
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(self.counts(rules.OBSERVED_LOADED), (20, 1))
        (found,) = self.findings(rules.OBSERVED_LOADED)
        self.assertEqual(
            (found.state_entry.kind, found.state_entry.name), ("param", "w")
        )
        self.assertEqual(_place(found), (2, 1, 4))
        self.assertEqual(
            found.expected.entries.entries[0].digest, "param/w 1 4"
        )
        self.assertEqual(found.actual.entries.entries[0].digest, "other")
        # It says what is wrong, so that no repeat is needed.
        self.assertFalse(self.judge().HasField("repeat_through"))

    def test_the_kind_that_is_closest_to_the_cause_comes_first(self) -> None:
        self.change_entries(
            self.state(self.resumed, 0, _State.LOADED, _SAVED), *_ENTRIES
        )
        self.assertEqual(
            [
                one.state_entry.kind
                for one in self.findings(rules.OBSERVED_LOADED)
            ],
            ["iteration", "param", "param", "exp_avg", "rng"],
        )

    def test_what_the_first_attempt_loads_is_not_compared(self) -> None:
        loaded = _state(_State.LOADED, 0, 1)
        self.first.observed[0].states.append(loaded)
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged()
        self.assertEqual(self.counts(rules.OBSERVED_LOADED), (10, 0))

    def test_all_that_a_rank_loads_is_compared(self) -> None:
        states = self.resumed.observed[0].states
        # A checkpoint of two files, and the second one after a save.
        states.append(states[0])
        self.change_entries(states[-1], "param/w")
        self.assertEqual(self.counts(rules.OBSERVED_LOADED), (15, 1))

    def test_what_nobody_saved_is_not_judged(self) -> None:
        for rank, path in ((0, "pretrained.pt"), (1, "")):
            loaded = _state(_State.LOADED, rank, 9, ["param/pretrained"])
            loaded.path = path
            # The ones that were saved are looked at nevertheless.
            self.resumed.observed[rank].states.insert(0, loaded)
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(
            *(
                _NotJudged(kind=_NotJudged.LOADED_UNKNOWN, what=what)
                for what in ("pretrained.pt", "an object")
            )
        )
        self.assertEqual(self.counts(rules.OBSERVED_LOADED), (10, 0))

    def test_it_is_listed_once_and_up_to_a_bound(self) -> None:
        paths = [f"{index:02}.pt" for index in range(25)]
        for path in (paths[0], *paths):
            loaded = _state(_State.LOADED, 0, 9, ["param/pretrained"])
            loaded.path = path
            self.resumed.observed[0].states.append(loaded)
        self.assertEqual(
            [one.what for one in self.judge().not_judged], paths[:20]
        )

    def test_it_does_not_come_from_a_later_save(self) -> None:
        for attempt in self.record.attempts:
            for rank in attempt.observed:
                del rank.states[:]
        loaded = self.resumed.observed[0].states.add(
            moment=_State.LOADED, iteration=4, path="a.pt"
        )
        saved = self.resumed.observed[0].states.add()
        saved.CopyFrom(loaded)
        saved.moment = _State.SAVED
        self.assertIn(
            _NotJudged(kind=_NotJudged.LOADED_UNKNOWN, what="a.pt"),
            self.judge().not_judged,
        )
        self.assertIsNone(self.counts(rules.OBSERVED_LOADED))


class WhichSaveTest(ObservedTestCase):
    """Tests which of several saves a load is compared with."""

    def setUp(self) -> None:
        super().setUp()
        for launch in self.all_launches():
            for rank in launch.observed:
                del rank.states[:]
        self.resumed.observed[0].states.add(
            moment=_State.LOADED,
            iteration=5,
            path="a.pt",
            entries=[run_pb2.StateEntry(name="param/w", digest="1")],
        )

    def save(
        self, rank: int, iteration: int, path: str, name: str, digest: str
    ) -> None:
        self.first.observed[rank].states.add(
            moment=_State.SAVED,
            iteration=iteration,
            path=path,
            entries=[run_pb2.StateEntry(name=name, digest=digest)],
        )

    def expected(self) -> list[str]:
        """Returns the digest that was expected in place of the loaded one."""
        return [
            one.expected.entries.entries[0].digest
            for one in self.findings(rules.OBSERVED_LOADED)
            if not one.expected.absent
        ]

    @parameterized.parameters(
        # The iteration alone, the file alone, and the names alone.
        (5, "b.pt", "param/x"),
        (-1, "a.pt", "param/x"),
        (-1, "b.pt", "param/w"),
    )
    def test_one_thing_in_common_is_enough(
        self, iteration: int, path: str, name: str
    ) -> None:
        # What is no save comes first.
        self.first.observed[1].states.add(moment=_State.CONTINUED, iteration=5)
        self.save(1, iteration, path, name, "2")
        self.assertEqual(self.expected(), ["2"])
        self.assertEqual(
            self.findings(rules.OBSERVED_LOADED)[0].iteration, iteration
        )
        self.assertNotIn(
            _NotJudged.LOADED_UNKNOWN,
            [one.kind for one in self.judge().not_judged],
        )

    def test_nothing_in_common_is_not(self) -> None:
        self.save(0, 4, "b.pt", "param/x", "2")
        self.assertIsNone(self.counts(rules.OBSERVED_LOADED))
        self.assertIn(
            _NotJudged(kind=_NotJudged.LOADED_UNKNOWN, what="a.pt"),
            self.judge().not_judged,
        )

    def test_two_files_of_no_name_have_nothing_in_common(self) -> None:
        self.resumed.observed[0].states[0].path = ""
        self.save(0, 4, "", "param/x", "2")
        self.assertIsNone(self.counts(rules.OBSERVED_LOADED))

    @parameterized.parameters(
        # The same content, wherever it is; though the other one is of the same
        # iteration, file and rank.
        ((1, 4, "b.pt", "param/w", "1"), (0, 5, "a.pt", "param/w", "2"), []),
        # The same iteration.
        ((1, 5, "b.pt", "param/x", "3"), (0, 4, "a.pt", "param/w", "2"), ["3"]),
        # The same file.
        ((1, 4, "a.pt", "param/x", "3"), (0, 4, "b.pt", "param/w", "2"), ["3"]),
        # The own rank.
        ((0, 4, "b.pt", "param/w", "3"), (1, 4, "b.pt", "param/w", "2"), ["3"]),
    )
    def test_what_counts_most(
        self,
        nearer: tuple[int, int, str, str, str],
        farther: tuple[int, int, str, str, str],
        expected: list[str],
    ) -> None:
        for saves in ((nearer, farther), (farther, nearer)):
            for rank in self.first.observed:
                del rank.states[:]
            for save in saves:
                self.save(*save)
            self.assertIsNotNone(self.counts(rules.OBSERVED_LOADED))
            self.assertEqual(self.expected(), expected)

    def test_of_equals_the_last_one_counts(self) -> None:
        for digest in ("2", "3", "4"):
            self.save(0, 4, "a.pt", "param/w", digest)
        self.assertEqual(self.expected(), ["4"])


class BegunTest(ObservedTestCase):
    def restored(self) -> list[verdict_pb2.RestoredKind]:
        return list(self.judge().restored_state.kinds)

    def test_lists_the_kinds_that_are_restored(self) -> None:
        self.assertEqual(self.judge().restored_state.iteration, _SAVED)
        self.assertEqual(
            self.restored(),
            [
                verdict_pb2.RestoredKind(kind=kind, rank=rank, entries=entries)
                for kind, entries in (
                    ("iteration", 1),
                    ("param", 2),
                    ("exp_avg", 1),
                    ("rng", 1),
                )
                for rank in _RANKS
            ],
        )

    def test_names_what_is_not_as_in_the_whole_run(self) -> None:
        self.interrupt_again()
        state = self.state(self.record.attempts[2], 1, _State.CONTINUED, 4)
        self.change_entries(state, "exp_avg/w")
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(self.counts(rules.OBSERVED_BEGUN), (20, 1))
        (found,) = self.findings(rules.OBSERVED_BEGUN)
        self.assertEqual(
            (found.state_entry.kind, found.state_entry.name), ("exp_avg", "w")
        )
        # It is the state as the next iteration begins.
        self.assertEqual(_place(found), (2, 1, 5))
        self.assertEqual(
            found.expected.entries.entries[0].digest, "exp_avg/w 1 4"
        )
        self.assertEqual(found.actual.entries.entries[0].digest, "other")
        self.assertEqual(self.judge().restored_state.iteration, 4)
        self.assertFalse(self.judge().HasField("repeat_through"))

    def test_the_kind_that_is_closest_to_the_cause_comes_first(self) -> None:
        self.change_entries(
            self.state(self.resumed, 0, _State.CONTINUED, _SAVED), *_ENTRIES
        )
        self.assertEqual(
            [
                one.state_entry.kind
                for one in self.findings(rules.OBSERVED_BEGUN)
            ],
            ["iteration", "param", "param", "exp_avg", "rng"],
        )

    def test_says_how_a_kind_was_lost(self) -> None:
        state = self.state(self.resumed, 1, _State.CONTINUED, _SAVED)
        for entry in list(state.entries):
            if entry.name == "param/w":
                state.entries.remove(entry)
            elif entry.name == "exp_avg/w":
                entry.digest, entry.description = "zero", "0"
        self.assertEqual(
            [one for one in self.restored() if one.differing],
            [
                verdict_pb2.RestoredKind(
                    kind="param", rank=1, entries=2, differing=1, absent=1
                ),
                verdict_pb2.RestoredKind(
                    kind="exp_avg", rank=1, entries=1, differing=1, reset=True
                ),
            ],
        )

    def test_only_the_first_state_counts(self) -> None:
        again = _state(_State.CONTINUED, 0, 4)
        self.change_entries(again, "param/w")
        self.resumed.observed[0].states.append(again)
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(self.counts(rules.OBSERVED_BEGUN), (10, 0))

    def test_ranks_that_do_not_tell_are_not_compared(self) -> None:
        del self.resumed.observed[0].states[:]
        self.assertEqual(self.counts(rules.OBSERVED_BEGUN), (5, 0))
        self.assert_not_judged()

    def test_nor_is_what_the_whole_run_does_not_tell(self) -> None:
        state = self.state(self.whole, 0, _State.CONTINUED, _SAVED)
        self.whole.observed[0].states.remove(state)
        self.assertEqual(self.counts(rules.OBSERVED_BEGUN), (5, 0))
        del self.whole.observed[0]
        self.assertEqual(self.counts(rules.OBSERVED_BEGUN), (5, 0))
        self.assert_not_judged()

    def test_nothing_to_compare_is_listed(self) -> None:
        for rank in self.resumed.observed:
            del rank.states[:]
        self.assertIsNone(self.counts(rules.OBSERVED_BEGUN))
        self.assertFalse(self.judge().HasField("restored_state"))
        self.assert_not_judged(_NotJudged(kind=_NotJudged.STATE_AS_BEGUN))


class FinishedTest(ObservedTestCase):
    def assert_finds(self, rank: int, *, text: str = "") -> None:
        """Asserts that one rank has not finished."""
        self.assert_concludes(_Verdict.NOT_RESUMED)
        self.assertEqual(self.counts(rules.OBSERVED_FINISHED), (2, 1))
        (found,) = self.findings(rules.OBSERVED_FINISHED)
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

    @parameterized.parameters(*_RANKS)
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
        self.assertEqual(self.counts(rules.OBSERVED_FINISHED), (2, 1))
        (found,) = self.findings(rules.OBSERVED_FINISHED)
        self.assertEqual(found.rank, last.rank)
        self.assertTrue(found.actual.absent)

    def test_both_ranks(self) -> None:
        for rank in self.last.observed:
            rank.ClearField("finished")
        self.assertEqual(
            [one.rank for one in self.findings(rules.OBSERVED_FINISHED)],
            [0, 1],
        )

    def test_only_ranks_that_finish_without_an_interruption_must(self) -> None:
        self.whole.observed[0].ClearField("finished")
        self.last.observed[0].ClearField("finished")
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(self.counts(rules.OBSERVED_FINISHED), (1, 0))
        self.whole.observed[1].ClearField("finished")
        self.assertIsNone(self.counts(rules.OBSERVED_FINISHED))


class SavesTest(ObservedTestCase):
    def test_names_what_is_not_as_the_whole_run_saves_it(self) -> None:
        self.interrupt_again()
        saved = self.state(self.record.attempts[2], 1, _State.SAVED, 6)
        self.change_entries(saved, "param/w")
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(self.counts(rules.OBSERVED_SAVES), (20, 1))
        (found,) = self.findings(rules.OBSERVED_SAVES)
        self.assertEqual(
            (found.state_entry.kind, found.state_entry.name), ("param", "w")
        )
        self.assertEqual(_place(found), (2, 1, 6))
        self.assertEqual(
            found.expected.entries.entries[0].digest, "param/w 1 6"
        )
        self.assertEqual(found.actual.entries.entries[0].digest, "other")
        self.assertEqual(self.judge().repeat_through, _LAST)

    def test_the_kind_that_is_closest_to_the_cause_comes_first(self) -> None:
        self.change_entries(
            self.state(self.resumed, 0, _State.SAVED, 4), *_ENTRIES
        )
        self.assertEqual(
            [
                one.state_entry.kind
                for one in self.findings(rules.OBSERVED_SAVES)
            ],
            ["iteration", "param", "param", "exp_avg", "rng"],
        )

    def test_saves_that_only_one_run_has_are_not_compared(self) -> None:
        self.state(self.resumed, 0, _State.SAVED, 4).iteration = 5
        self.assertEqual(self.counts(rules.OBSERVED_SAVES), (15, 0))
        del self.whole.observed[0]
        self.assertEqual(self.counts(rules.OBSERVED_SAVES), (10, 0))
        del self.whole.observed[0].states[:]
        self.assertIsNone(self.counts(rules.OBSERVED_SAVES))

    def test_each_of_several_saves_after_one_iteration_is_compared(
        self,
    ) -> None:
        files = ["model", "optimizer", "scheduler"]
        for launch in (self.whole, self.resumed):
            for name in files:
                launch.observed[0].states.append(
                    _state(_State.SAVED, 0, 5, [f"{name}/w"])
                )
        self.assertEqual(self.counts(rules.OBSERVED_SAVES), (23, 0))
        for place, name in enumerate(files):
            self.change_entries(
                self.resumed.observed[0].states[place - 3], f"{name}/w"
            )
        self.assertEqual(self.counts(rules.OBSERVED_SAVES), (23, 3))


class NotObservedTest(ObservedTestCase):
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
        (["losses", "metrics"], [_LOSS]),
        (["batches", "losses", "metrics"], ["batch", _LOSS]),
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


class RanksTest(ObservedTestCase):
    def test_ranks_may_be_told_of_in_any_order(self) -> None:
        observed = self.resumed.observed
        observed.insert(0, observed.pop())
        self.assert_concludes(_Verdict.PASS)

    @parameterized.parameters(([0],), ([],), ([0, 1, 2],))
    def test_each_rank_has_to_tell(self, found: list[int]) -> None:
        del self.resumed.observed[:]
        for rank in found:
            self.resumed.observed.append(_rank(rank, range(3, _LAST + 1)))
        self.assert_concludes(_Verdict.WRONG_ENVIRONMENT)
        self.assertEqual(self.counts(rules.OBSERVED_RANKS), (3, 1))
        (finding,) = self.findings(rules.OBSERVED_RANKS)
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
                for one in self.findings(rules.OBSERVED_RANKS)
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


class CluesTest(ObservedTestCase):
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
        (_STREAM, _Clue(random_of_iteration=2)),
    )
    def test_what_another_iteration_has(self, name: str, clue: _Clue) -> None:
        self.take(name, 1, 2)
        self.assert_clues(clue)

    @parameterized.parameters(
        ("batch", _Clue(batch_of_rank=0)),
        (_STREAM, _Clue(random_of_rank=0)),
    )
    def test_what_another_rank_has(self, name: str, clue: _Clue) -> None:
        self.take(name, 0, 4)
        self.assert_clues(clue)

    @parameterized.parameters("batch", _STREAM)
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
        _change(self.step(self.resumed, 1, 4), name, group, "0.9")
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
