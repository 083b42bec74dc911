"""Makes records of observed commands, for tests that change them."""

from collections.abc import Iterator, Sequence

from regress.case import case_pb2
from regress.oracle import command_record_test_helper, verdict_pb2
from regress.run import run_pb2

_Cause = run_pb2.ExitStatus
_NotJudged = verdict_pb2.NotJudged
_State = run_pb2.StateDigest

RANKS = (0, 1)
LAST = 6
# Attempt 0 saves after iteration 2 and is killed in iteration 3.
SAVED = 2
STREAM = "random stream of torch"
LOSS = "loss of the backward pass"
# All that is told of a step, from cause to consequence.
METRICS = (
    ("random stream of Python", ""),
    (STREAM, ""),
    ("batch", ""),
    (LOSS, ""),
    ("learning rate", "0"),
    ("weight decay", "0"),
    ("learning rate", "1"),
    ("weight decay", "1"),
    ("accuracy", ""),
    ("grad norm", ""),
)
# Kinds from consequence to cause, so that it shows if they are put in order.
ENTRIES = ("rng/torch", "exp_avg/w", "param/b", "param/w", "iteration")


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


def change(
    step: run_pb2.ObservedStep, name: str, group: str, text: str
) -> None:
    """Makes the ranks tell something else of a step."""
    if name.startswith("random stream of "):
        step.random_streams[name.removeprefix("random stream of ")] = text
    elif name == "batch":
        step.batches[:] = text.split()
    elif name == LOSS:
        step.losses[:] = text.split()
    elif group:
        step.groups[int(group)].rates[name] = text
    else:
        step.metrics[name] = text


def make_state(
    moment: _State.Moment,
    rank: int,
    iteration: int,
    names: Sequence[str] = ENTRIES,
) -> _State:
    """Returns the digest of a state with entries of these names."""
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


def make_rank(rank: int, steps: range) -> run_pb2.ObservedRank:
    """Returns what a rank tells that saves after every second step."""
    states = []
    loaded = steps.start - 1
    if loaded:
        states = [
            make_state(_State.LOADED, rank, loaded),
            make_state(_State.CONTINUED, rank, loaded),
        ]
    for at in steps:
        if at % 2 == 0:
            states.append(make_state(_State.SAVED, rank, at))
            if not loaded:
                states.append(make_state(_State.CONTINUED, rank, at))
    return run_pb2.ObservedRank(
        rank=rank,
        steps=[_step(rank, at) for at in steps],
        states=states,
        finished=LAST if LAST in steps else None,
    )


def make_launch(index: int, first: int, last: int) -> run_pb2.Attempt:
    """Returns what both ranks tell from the first iteration to the last."""
    killed = last < LAST
    status = run_pb2.ExitStatus(cause=_Cause.BY_ITSELF)
    if killed:
        status = run_pb2.ExitStatus(cause=_Cause.INTERRUPTED, signal=9)
    return run_pb2.Attempt(
        index=index,
        ranks=[run_pb2.RankRecord(exit=status)],
        interruption=run_pb2.InterruptionEvent(iteration=last)
        if killed
        else None,
        checkpoints_left=[run_pb2.LeftCheckpoint(path="ckpt.pt", bytes=[8])],
        observed=[make_rank(rank, range(first, last + 1)) for rank in RANKS],
    )


def _record() -> run_pb2.RunRecord:
    """Returns the record of an exact resume from iteration 2, on two ranks."""
    return run_pb2.RunRecord(
        command=case_pb2.CommandCase(
            ranks=len(RANKS),
            observe=True,
            checkpoints="ckpt.pt",
            interruption=[
                case_pb2.Interruption(iteration=3, signal=case_pb2.SIGKILL)
            ],
        ),
        attempts=[make_launch(0, 1, 3), make_launch(1, 3, LAST)],
        uninterrupted=make_launch(0, 1, LAST),
        checkpoint=run_pb2.CheckpointComparison(
            a="ckpt.pt", b="ckpt.pt", common=1, names=["w"]
        ),
    )


def place(finding: verdict_pb2.Finding) -> tuple[int, int, int]:
    """Returns a finding's attempt, rank and iteration."""
    return finding.attempt, finding.rank, finding.iteration


class ObservedTestCase(command_record_test_helper.CommandTestCase):
    """A test of the verdict on `record`, which each test changes."""

    def setUp(self) -> None:
        """Makes a record of an exact resume."""
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
        self.resumed.CopyFrom(make_launch(1, 3, 5))
        self.record.attempts.append(make_launch(2, 5, LAST))

    def step(
        self, launch: run_pb2.Attempt, rank: int, iteration: int
    ) -> run_pb2.ObservedStep:
        """Returns what a rank told of an iteration."""
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
        """Returns the state that a rank told of at a moment."""
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
        """Yields the attempts, and the run that nobody interrupts."""
        yield from self.record.attempts
        yield self.whole

    def assert_not_judged(self, *expected: _NotJudged) -> None:
        """Asserts what is listed as not judged."""
        self.assertEqual(list(self.judge().not_judged), list(expected))
