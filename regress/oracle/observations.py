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
    started: list[run_pb2.Started] = dataclasses.field(default_factory=list)
    iterations: list[int] = dataclasses.field(default_factory=list)
    # Those of `iterations` whose update was skipped.
    skipped: list[int] = dataclasses.field(default_factory=list)
    # Of each step.
    step_seconds: list[float] = dataclasses.field(default_factory=list)
    # Of the steps that recorded it.
    peak_device_bytes: list[int] = dataclasses.field(default_factory=list)
    checkpoints: list[run_pb2.CheckpointEvent] = dataclasses.field(
        default_factory=list
    )
    states: list[run_pb2.StateDigest] = dataclasses.field(default_factory=list)
    finished: list[run_pb2.Finished] = dataclasses.field(default_factory=list)
    settings_changes: list[run_pb2.SettingsChange] = dataclasses.field(
        default_factory=list
    )
    # What a rank found that gave up for it.
    hardware_found: list[str] = dataclasses.field(default_factory=list)

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
NO_TIMELINE = Timeline(run_pb2.ExitStatus())


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One attempt.

    Attributes:
        index: Its position in the chain: 0, or higher if it resumed. A repeat
            has the index of the attempt that it repeats. A read-back comes
            after the last attempt, and a relaunch after that.
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
        attempts: The run record's attempts, in order.
        repeat: The repeat of attempt 0, if there is one.
        read_back: The read-back, or an empty attempt.
        relaunch: The finished job, launched again, or an empty attempt.
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
    read_back: Attempt
    relaunch: Attempt
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
    def last(self) -> int:
        """The index of the attempt that nobody interrupts."""
        return len(self.case.interruption)

    @property
    def resumes(self) -> range:
        """The indices of the attempts that must resume."""
        return range(1, self.last + 1)

    @property
    def launches(self) -> tuple[Attempt, ...]:
        """All launches in the record; nothing follows a missing attempt."""
        if not self.attempts:
            return ()
        return (
            *self.attempts,
            *(
                attempt
                for name, attempt in (
                    ("read_back", self.read_back),
                    ("relaunch", self.relaunch),
                )
                if self.run.HasField(name)
            ),
        )

    def attempt(self, index: int) -> Attempt:
        """An attempt, or an empty one if it is not in the record."""
        if index < len(self.attempts):
            return self.attempts[index]
        return _empty(index)

    def interruption(self, index: int) -> case_pb2.Interruption | None:
        """What an attempt must be interrupted by; None for the last."""
        if index < self.last:
            return self.case.interruption[index]
        return None

    def start(self, index: int) -> int:
        """The iteration of the checkpoint that an attempt must load, or 0."""
        return derived.resume_iterations(self.case)[index]

    def load(self, index: int) -> "Load":
        """The load that an attempt must begin with."""
        return Load(
            tuple(map(self.attempt, range(index))),
            self.attempt(index),
            self.start(index),
        )

    @property
    def load_of_read_back(self) -> "Load":
        """The load that the read-back must make."""
        return Load(
            tuple(map(self.attempt, range(self.last + 1))),
            self.read_back,
            self.case.training.iterations,
        )

    def save_iterations(self, after: int, last: int) -> list[int]:
        """Returns the iterations in (after, last] that end with a checkpoint.

        These are the periodic saves and the one after the case's last
        iteration. A graceful stop at any other iteration saves too, but is not
        included.
        """
        return derived.save_iterations(self.case, after, last)


@dataclasses.dataclass(frozen=True)
class Load:
    """A checkpoint that some attempts saved, and one had to load.

    Attributes:
        savers: The attempts before, in their order.
        loader: The attempt that loaded.
        iteration: The checkpoint's.
    """

    savers: tuple[Attempt, ...]
    loader: Attempt
    iteration: int

    def saved(
        self, rank: int, iteration: int | None = None
    ) -> list[run_pb2.StateDigest]:
        """What a rank digested before it saved: one digest, if all is well.

        Args:
            rank: The rank.
            iteration: Of the save, if it is not the one to load. Of several
                attempts that made it, the last counts: it wrote the file anew.
        """
        wanted = self.iteration if iteration is None else iteration
        for saver in reversed(self.savers):
            timeline = saver.timelines.get(rank, NO_TIMELINE)
            if found := timeline.digests(run_pb2.StateDigest.SAVED, wanted):
                return found
        return []

    def loaded(
        self, rank: int, iteration: int | None = None
    ) -> list[run_pb2.StateDigest]:
        """What a rank digested after it loaded: one digest, if all is well."""
        wanted = self.iteration if iteration is None else iteration
        timeline = self.loader.timelines.get(rank, NO_TIMELINE)
        return timeline.digests(run_pb2.StateDigest.LOADED, wanted)


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
        # A record without one of these gives an empty attempt.
        _read(len(case.interruption) + 1, run.read_back),
        _read(len(case.interruption) + 2, run.relaunch),
        golden_trajectories,
        contradiction,
    )


def _empty(index: int) -> Attempt:
    """An attempt that is not in the record."""
    return Attempt(index, run_pb2.Attempt(), [], {}, {})


def _read(index: int, attempt: run_pb2.Attempt) -> Attempt:
    timelines = {}
    trajectories: series.Trajectories = {}
    for rank in attempt.ranks:
        timeline = Timeline(rank.exit)
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
                step = event.step
                timeline.iterations.append(step.iteration)
                timeline.step_seconds.append(step.seconds)
                if step.HasField("updated") and not step.updated:
                    timeline.skipped.append(step.iteration)
                if step.HasField("peak_device_bytes"):
                    timeline.peak_device_bytes.append(step.peak_device_bytes)
                yield event.step
            case "started":
                timeline.started.append(event.started)
            case "checkpoint":
                timeline.checkpoints.append(event.checkpoint)
            case "state":
                timeline.states.append(event.state)
            case "finished":
                timeline.finished.append(event.finished)
            case "settings_change":
                timeline.settings_changes.append(event.settings_change)
            case "hardware_found":
                timeline.hardware_found.append(event.hardware_found.hardware)
