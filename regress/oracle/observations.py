"""Indexes what the oracles judge: the case, the run record and the golden.

Nothing is judged here. Anything that was not recorded is simply absent.
"""

import dataclasses
from collections.abc import Iterator, Mapping

from regress.case import case_pb2, derived
from regress.golden import bands, errors, golden_pb2, series
from regress.run import run_pb2


@dataclasses.dataclass(frozen=True)
class DeclaredTarget:
    """What the test's target declares about the machine it runs on.

    Attributes:
        hardware: `none`, `nvidia_h200`, ..., or `any` for any GPU.
        channel: `dev` or `lts`.
    """

    hardware: str
    channel: str


@dataclasses.dataclass(frozen=True)
class Timeline:
    """One rank's events of one attempt, by kind, in the order recorded."""

    exit: run_pb2.ExitStatus
    started: list[run_pb2.Started]
    iterations: list[int]
    checkpoints: list[run_pb2.CheckpointEvent]
    states: list[run_pb2.StateDigest]
    finished: list[run_pb2.Finished]

    def digests(
        self, moment: run_pb2.StateDigest.Moment, iteration: int
    ) -> list[run_pb2.StateDigest]:
        """Returns the digests of a moment and iteration: one if all is well."""
        return [
            state
            for state in self.states
            if state.moment == moment and state.iteration == iteration
        ]

    def checkpoint_iterations(
        self, kind: run_pb2.CheckpointEvent.Kind
    ) -> list[int]:
        """Returns the iterations of the checkpoint events of one kind."""
        return [
            event.iteration for event in self.checkpoints if event.kind == kind
        ]


# Stands in for a rank that is not in the record.
NO_TIMELINE = Timeline(run_pb2.ExitStatus(), [], [], [], [], [])


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One attempt.

    Attributes:
        index: Its position in the chain: 0, or 1 if it resumed. A repeat has
            the index of the attempt that it repeats.
        record: The supervisor's record of it.
        ranks: Its ranks, in the order recorded. A rank may occur twice.
        timelines: The ranks' events, by rank.
        trajectories: All metrics of all ranks.
    """

    index: int
    record: run_pb2.Attempt
    ranks: list[int]
    timelines: Mapping[int, Timeline]
    trajectories: series.Trajectories

    @property
    def end(self) -> run_pb2.AttemptEnd | None:
        """Why the supervisor ended it, if it did."""
        return self.record.end if self.record.HasField("end") else None


@dataclasses.dataclass(frozen=True)
class Observations:
    """Everything that the oracles judge.

    Attributes:
        case: The declared case.
        run: The run record.
        golden: The golden record; None if there is none to compare with.
        target: What the target declares about the machine.
        attempts: The run record's attempts, in order. `interrupted` and
            `resumed` return the first two, or empty ones.
        repeat: The repeat of attempt 0, if there is one.
        golden_trajectories: The golden's series; empty if there is no golden,
            or if it contradicts itself.
        golden_contradiction: How the golden contradicts itself, in one
            sentence; "" if it does not.
    """

    case: case_pb2.Case
    run: run_pb2.RunRecord
    golden: golden_pb2.Golden | None
    target: DeclaredTarget
    attempts: tuple[Attempt, ...]
    repeat: Attempt | None
    golden_trajectories: series.Trajectories
    golden_contradiction: str

    @property
    def ranks(self) -> range:
        """The ranks that the case asks for."""
        return range(self.case.parallelism.pipeline)

    @property
    def last_rank(self) -> int:
        """The rank that waits for the interruption and has the loss."""
        return self.case.parallelism.pipeline - 1

    @property
    def golden_holds_states(self) -> bool:
        """Whether the golden has digests of saved states.

        A golden for `any` has none: the digests hold for one hardware only.
        """
        return (
            self.golden is not None and self.golden.hardware != bands.HARDWARE
        )

    @property
    def interrupted(self) -> Attempt:
        """Attempt 0."""
        return self._attempt(0)

    @property
    def resumed(self) -> Attempt:
        """Attempt 1."""
        return self._attempt(1)

    @property
    def resume_iteration(self) -> int:
        """The iteration of the checkpoint that attempt 1 must load."""
        return derived.resume_iteration(self.case)

    def save_iterations(self, after: int, last: int) -> range:
        """Returns the iterations in (after, last] that end with a checkpoint.

        These are the periodic saves. A graceful stop at any other iteration
        saves too, but is not included.
        """
        interval = self.case.training.save_interval
        return range(after - after % interval + interval, last + 1, interval)

    def _attempt(self, index: int) -> Attempt:
        if index < len(self.attempts):
            return self.attempts[index]
        return Attempt(index, run_pb2.Attempt(), [], {}, {})


def gather(
    case: case_pb2.Case,
    run: run_pb2.RunRecord,
    golden: golden_pb2.Golden | None,
    target: DeclaredTarget,
) -> Observations:
    """Indexes a case, its run record and its golden.

    Args:
        case: A valid case.
        run: Any run record, however incomplete.
        golden: Any golden record, however incomplete, or None.
        target: What the target declares about the machine.
    """
    contradiction = ""
    golden_trajectories: series.Trajectories = {}
    try:
        if golden is not None:
            golden_trajectories = series.unfold(golden.series)
    except errors.GoldenError as error:
        contradiction = str(error)
    return Observations(
        case,
        run,
        golden,
        target,
        tuple(_read(*indexed) for indexed in enumerate(run.attempts)),
        _read(0, run.repeat) if run.HasField("repeat") else None,
        golden_trajectories,
        contradiction,
    )


def _read(index: int, attempt: run_pb2.Attempt) -> Attempt:
    timelines = {}
    trajectories: series.Trajectories = {}
    for rank in attempt.ranks:
        timeline = Timeline(rank.exit, [], [], [], [], [])
        timelines[rank.rank] = timeline
        trajectories |= series.from_steps(_sort(rank, timeline), rank.rank)
    return Attempt(
        index,
        attempt,
        [rank.rank for rank in attempt.ranks],
        timelines,
        trajectories,
    )


def _sort(
    rank: run_pb2.RankRecord, timeline: Timeline
) -> Iterator[run_pb2.StepMetrics]:
    """Adds a rank's events to its timeline, and yields its steps.

    A long record has millions of events, so this makes the only pass over them
    and keeps only what the oracles use.
    """
    for event in rank.events:
        match event.WhichOneof("kind"):
            case "step":
                timeline.iterations.append(event.step.iteration)
                yield event.step
            case "started":
                timeline.started.append(event.started)
            case "checkpoint":
                timeline.checkpoints.append(event.checkpoint)
            case "state":
                timeline.states.append(event.state)
            case "finished":
                timeline.finished.append(event.finished)
