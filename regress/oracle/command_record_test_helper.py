"""Makes small run records of a command, and judges them.

Tests break one thing in a record and check the verdict.
"""

from collections.abc import Mapping

from absl.testing import parameterized

from regress.case import case_pb2
from regress.oracle import command_judge, rules, verdict_pb2
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_Cause = run_pb2.ExitStatus
_State = run_pb2.StateDigest

# What the run that nobody interrupts prints, by iteration.
LOSSES = {1: "4.0", 2: "3.0", 3: "2.0", 4: "1.0"}


def attempt(
    index: int, losses: Mapping[int, str], *, killed: bool = False
) -> run_pb2.Attempt:
    """Returns the record of a launch that prints a loss an iteration.

    Args:
        index: Its place among the attempts.
        losses: The losses, by iteration.
        killed: SIGKILL has ended it in iteration 3.
    """
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
        checkpoints_left=[run_pb2.LeftCheckpoint(path="ckpt.pt", bytes=[8])],
    )


def some(*iterations: int) -> dict[int, str]:
    """Returns the right losses of some iterations."""
    return {at: LOSSES[at] for at in iterations}


def record() -> run_pb2.RunRecord:
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
            attempt(0, some(1, 2, 3), killed=True),
            attempt(1, some(3, 4)),
        ],
        uninterrupted=attempt(0, LOSSES),
        checkpoint=run_pb2.CheckpointComparison(
            a="ckpt.pt",
            b="ckpt.pt",
            common=3,
            names=["model/w", "optimizer/step", "epoch"],
            names_of_no_floats=["optimizer/step", "epoch"],
        ),
    )


def interrupt_twice(run: run_pb2.RunRecord) -> None:
    """Adds an attempt that is killed, too, before the last one."""
    run.command.interruption.add(iteration=3, signal=case_pb2.SIGKILL)
    last = attempt(2, some(3, 4))
    run.attempts[1].CopyFrom(attempt(1, some(3), killed=True))
    run.attempts.append(last)


def write_numbers(
    attempt: run_pb2.Attempt, folder: str, numbers: Mapping[int, str]
) -> run_pb2.EventFile:
    """Adds a file of TensorBoard with losses to an attempt."""
    return attempt.event_files.add(
        path=f"{folder}/events",
        scalars=[
            run_pb2.Printed(iteration=at, metrics={"loss": text})
            for at, text in numbers.items()
        ],
    )


def observe(run: run_pb2.RunRecord) -> None:
    """Adds what its one rank tells, in the attempts and uninterrupted."""
    run.command.observe = True
    first, resumed = run.attempts
    first.observed.append(_told(range(1, 4), [_state(_State.SAVED, 2)]))
    resumed.observed.append(
        _told(
            range(3, 5),
            [
                _state(_State.LOADED, 2),
                _state(_State.CONTINUED, 2),
                _state(_State.SAVED, 4),
            ],
            finished=4,
        )
    )
    run.uninterrupted.observed.append(
        _told(
            range(1, 5),
            [
                _state(_State.SAVED, 2),
                _state(_State.CONTINUED, 2),
                _state(_State.SAVED, 4),
            ],
            finished=4,
        )
    )


def _told(
    iterations: range,
    states: list[run_pb2.StateDigest],
    finished: int | None = None,
) -> run_pb2.ObservedRank:
    return run_pb2.ObservedRank(
        steps=[
            run_pb2.ObservedStep(
                iteration=at, batches=[f"batch-{at}"], losses=[LOSSES[at]]
            )
            for at in iterations
        ],
        states=states,
        finished=finished,
    )


def _state(
    moment: run_pb2.StateDigest.Moment, iteration: int
) -> run_pb2.StateDigest:
    return run_pb2.StateDigest(
        moment=moment,
        iteration=iteration,
        entries=[
            run_pb2.StateEntry(name="param/w", digest=f"w-{iteration}"),
            run_pb2.StateEntry(name="exp_avg/w", digest=f"m-{iteration}"),
        ],
        path="ckpt.pt",
    )


class CommandTestCase(parameterized.TestCase):
    """Judges `self.record`, which is of an exact resume."""

    def setUp(self) -> None:
        """Makes the record."""
        super().setUp()
        self.record = record()

    def judge(self) -> verdict_pb2.Verdict:
        """Returns the verdict."""
        verdict = command_judge.judge(self.record)
        # The same record, the same verdict.
        self.assertEqual(command_judge.judge(self.record), verdict)
        return verdict

    def assert_concludes(
        self, conclusion: verdict_pb2.Verdict.Conclusion
    ) -> None:
        """Asserts what the verdict is."""
        self.assertEqual(
            _Verdict.Conclusion.Name(self.judge().conclusion),
            _Verdict.Conclusion.Name(conclusion),
        )

    def found_by(self, rule: rules.Rule) -> list[verdict_pb2.Finding]:
        """Returns the verdict's findings of one check."""
        return [one for one in self.judge().findings if one.check == rule.name]

    def counts_of(self, rule: rules.Rule) -> tuple[int, int] | None:
        """Returns what one check compared and what differed, if it is there."""
        return next(
            (
                (one.compared, one.differing)
                for one in self.judge().checks
                if one.name == rule.name
            ),
            None,
        )

    def differ(self, name: str, a: str, b: str) -> run_pb2.EntryDifference:
        """Adds a name in which the checkpoints of the end differ."""
        compared = self.record.checkpoint
        compared.differing += 1
        compared.in_one += not (a and b)
        return compared.differences.add(name=name, a=a, b=b)

    def resume_prints(self, losses: Mapping[int, str]) -> None:
        """Has the last of two attempts print other losses."""
        self.record.attempts[1].CopyFrom(attempt(1, losses))
