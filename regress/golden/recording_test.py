"""Tests for checking one uninterrupted run."""

import math
from collections.abc import Callable

from absl.testing import absltest, parameterized

from regress.golden import errors, recording, run_test_helper, series
from regress.run import run_pb2

_Break = Callable[[run_pb2.RunRecord], object]


def _rank(run: run_pb2.RunRecord) -> run_pb2.RankRecord:
    return run_test_helper.rank_of(run, 1)


def _add(run: run_pb2.RunRecord, event: run_pb2.Event) -> None:
    _rank(run).events.append(event)


def _forget(run: run_pb2.RunRecord, rank: int, field: str) -> None:
    for event in run_test_helper.rank_of(run, rank).events:
        if event.HasField("step"):
            event.step.ClearField(field)


def _double_step(run: run_pb2.RunRecord) -> None:
    step = run_test_helper.step_of(run, 1, 3)
    _rank(run).events.insert(3, run_pb2.Event(step=step))


def _interrupt(run: run_pb2.RunRecord) -> None:
    run.attempts[0].interruption.iteration = 3


def _end_early(run: run_pb2.RunRecord) -> None:
    run.attempts[0].end.stop_signal = 15


def _set_nan(run: run_pb2.RunRecord) -> None:
    run_test_helper.step_of(run, 0, 4).grad_norm = math.nan


def _set_loss_of_first_rank(run: run_pb2.RunRecord) -> None:
    for event in run_test_helper.rank_of(run, 0).events:
        if event.HasField("step"):
            event.step.lm_loss = 2.5


def _kill(run: run_pb2.RunRecord) -> None:
    _rank(run).exit.signal = 9
    _rank(run).exit.cause = run_pb2.ExitStatus.CANCELLED


def _crash(run: run_pb2.RunRecord) -> None:
    _rank(run).exit.code = 3


def _tear(run: run_pb2.RunRecord) -> None:
    _rank(run).torn = True


def _move(run: run_pb2.RunRecord) -> None:
    started = _rank(run).events[0].started
    started.environment.device_name = "Intel Xeon"


def _set_hardware(run: run_pb2.RunRecord) -> None:
    for rank in run.attempts[0].ranks:
        rank.events[0].started.environment.hardware = "nvidia_h200"


def _empty_state(run: run_pb2.RunRecord) -> None:
    run_test_helper.state_of(run, 1, 4).ClearField("entries")


class RecordingTest(parameterized.TestCase):
    def test_indexes_a_whole_run(self) -> None:
        run = run_test_helper.uninterrupted()
        recorded = recording.of_run(run, "run 1", "none")
        self.assertEqual(recorded.name, "run 1")
        self.assertEqual(recorded.environment.device_name, "AMD EPYC")
        self.assertCountEqual(
            recorded.states,
            [(save, rank) for save in (2, 4, 5) for rank in (0, 1)],
        )
        self.assertLen(
            recorded.states[2, 1].entries, len(run_test_helper.ENTRIES)
        )
        lm_loss = recorded.trajectories[series.Key("lm loss", "", 1)]
        self.assertLen(lm_loss.values, run_test_helper.ITERATIONS)

    @parameterized.parameters(
        (
            lambda run: run.attempts.add(),
            "run 1 has 2 attempts, expected 1, of an uninterrupted run",
        ),
        (
            lambda run: run.attempts.pop(),
            "run 1 has 0 attempts, expected 1, of an uninterrupted run",
        ),
        (
            _interrupt,
            "run 1 was interrupted in iteration 3, expected an uninterrupted "
            "run",
        ),
        (
            _end_early,
            "run 1 ended early: The supervisor was sent SIGTERM.",
        ),
        (
            lambda run: run.attempts[0].ranks.pop(),
            "run 1 has ranks [0], expected ranks [0, 1]",
        ),
        (
            lambda run: run.attempts[0].ClearField("ranks"),
            "run 1 has ranks [], expected ranks [0, 1]",
        ),
        (
            _kill,
            "rank 1 of run 1 was ended by signal 9 (CANCELLED), expected exit "
            "code 0",
        ),
        (_crash, "rank 1 of run 1 ended with exit code 3, expected 0"),
        (
            _tear,
            "rank 1 of run 1 has an event file that ends in the middle of a "
            "record",
        ),
        (
            lambda run: _add(
                run,
                run_pb2.Event(
                    checkpoint=run_pb2.CheckpointEvent(
                        kind=run_pb2.CheckpointEvent.LOADED, iteration=2
                    )
                ),
            ),
            "rank 1 of run 1 resumed from iteration 2, expected a run from the "
            "beginning",
        ),
        (
            lambda run: run_test_helper.remove(run, 1, "finished"),
            "rank 1 of run 1 finished at iterations [], expected [5]",
        ),
        (
            lambda run: run_test_helper.remove(run, 0, "started"),
            "rank 0 of run 1 reported its environment 0 times, expected once",
        ),
        (_move, "rank 1 of run 1 ran in another environment than rank 0"),
        (_set_hardware, "run 1 found hardware nvidia_h200, expected none"),
        (
            lambda run: _forget(run, 1, "lm_loss"),
            "run 1 did not record lm loss on rank 1",
        ),
        (
            _set_loss_of_first_rank,
            "run 1 recorded lm loss on rank 0, expected it only on rank 1: the "
            "test would refuse a golden with it, so the trainer must not "
            "report it there",
        ),
        (
            lambda run: _forget(run, 0, "params_norm"),
            "run 1 did not record params norm on rank 0",
        ),
        (
            lambda run: _forget(run, 0, "param_groups"),
            "run 1 did not record a param group on rank 0",
        ),
        (
            lambda run: run_test_helper.step_of(run, 1, 2).ClearField(
                "lm_loss"
            ),
            "run 1: lm loss on rank 1: expected one number for each of "
            "iterations 1 to 5, but iteration 2 has none",
        ),
        (
            _double_step,
            "run 1: consumed samples on rank 1: expected one number for each "
            "of iterations 1 to 5, but iteration 3 has 2",
        ),
        (
            _set_nan,
            "run 1: grad norm on rank 0: expected one number for each of "
            "iterations 1 to 5, but iteration 4 has NaN",
        ),
        (
            lambda run: run_test_helper.remove(run, 1, "state"),
            "run 1 digested the saved state of (iteration, rank) "
            "[(2, 0), (4, 0), (5, 0)], expected [(2, 0), (2, 1), (4, 0), "
            "(4, 1), (5, 0), (5, 1)]",
        ),
        (
            lambda run: _add(
                run,
                run_pb2.Event(state=run_test_helper.state_of(run, 1, 2)),
            ),
            "run 1 digested the saved state of (iteration, rank) "
            "[(2, 0), (2, 1), (2, 1), (4, 0), (4, 1), (5, 0), (5, 1)], "
            "expected [(2, 0), (2, 1), (4, 0), (4, 1), (5, 0), (5, 1)]",
        ),
        (
            _empty_state,
            "run 1 digested no entry of the state of rank 1 at iteration 4",
        ),
    )
    def test_refuses_a_run_that_is_not_whole(
        self, break_run: _Break, sentence: str
    ) -> None:
        run = run_test_helper.uninterrupted()
        break_run(run)
        with self.assertRaisesWithLiteralMatch(errors.GoldenError, sentence):
            recording.of_run(run, "run 1", "none")


if __name__ == "__main__":
    absltest.main()
