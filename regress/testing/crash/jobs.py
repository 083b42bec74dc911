"""Runs jobs whose ranks may die, all forked from one zygote."""

import dataclasses
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from regress.case import case_pb2, load
from regress.golden import files as golden_files
from regress.run import exit_codes, run_pb2
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import launcher as launcher_lib
from regress.supervisor import watchdog
from regress.testing.crash import die_at_step, kill_points, phase_marker

# Paths of cases, without their suffix.
TINY = pathlib.Path("regress/testdata/tiny")
# Like TINY, with a save after every other iteration.
CATALOGUE = pathlib.Path("regress/testing/faults/testdata/catalogue")

_TRAINER = "regress.testing.instrumented_trainer"
_BOUNDS = watchdog.Bounds(start_seconds=120, step_seconds=60)


class Jobs:
    """A context manager that runs a zygote for any number of jobs.

    Paths are relative to the workspace's root, or to a test's runfiles.

    Attributes:
        case: The case that every job trains.
        golden: The case's golden.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        case: pathlib.Path = TINY,
        trainer_flags: Sequence[str] = (),
    ) -> None:
        """Prepares the zygote; entering the context starts it.

        Args:
            folder: An empty folder for all files.
            case: The path of a case, without its suffix.
            trainer_flags: Additional flags for every rank.
        """
        self._folder = folder
        self._trainer_flags = trainer_flags
        self.case = load.load(case.with_suffix(".textproto"))
        self.golden = golden_files.read(case / "dev_none.textproto")
        self._launcher = launchers.make(
            "zygote",
            self._scenario("zygote"),
            _TRAINER,
            preload_flags=[
                *trainer_flags,
                phase_marker.flag(folder),
                die_at_step.flag(0, {}, folder),
                kill_points.flag(None, folder, folder),
            ],
        )

    def __enter__(self) -> Self:
        """Starts the zygote."""
        self._launcher.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the zygote."""
        self._launcher.__exit__(kind, error, traceback)

    def job(self, name: str, *, like: "Job | None" = None) -> "Job":
        """Returns a new job, or with `like` a copy of another job's files."""
        job = Job(self._scenario(name), self._launcher)
        if like is not None:
            shutil.copytree(like.work, job.work)
        return job

    def _scenario(self, name: str) -> scenario_lib.Scenario:
        folder = self._folder / name
        return scenario_lib.Scenario(
            case=self.case,
            hardware="none",
            files=job_files.JobFiles(folder / "work", folder / "outputs"),
            bounds=_BOUNDS,
            trainer_flags=self._trainer_flags,
        )


class Job:
    """One job, of any number of attempts.

    Attributes:
        work: The folder of its checkpoints and data set indices.
        attempts: The attempts so far.
    """

    def __init__(
        self,
        scenario: scenario_lib.Scenario,
        launcher: launcher_lib.Launcher,
    ) -> None:
        """Prepares a job; runs nothing yet."""
        self._scenario = scenario
        self._launcher = launcher
        self.work = scenario.files.work
        self.attempts: list[run_pb2.Attempt] = []

    def run(
        self,
        *flags: str,
        die_in: int = 0,
        die_at: Mapping[int, str] | None = None,
    ) -> run_pb2.Attempt:
        """Runs an attempt, from the newest checkpoint if there is one.

        Args:
            flags: Additional flags for every rank.
            die_in: The iteration in whose save the steps are counted; 0 for
                none.
            die_at: Where ranks die in that save; see `die_at_step.flag`.
        """
        self._markers.mkdir(parents=True, exist_ok=True)
        for path in self._markers.iterdir():
            path.unlink()
        scenario = dataclasses.replace(
            self._scenario,
            trainer_flags=[
                *self._scenario.trainer_flags,
                # In this order, a step is counted within its phase.
                *(
                    [die_at_step.flag(die_in, die_at or {}, self._markers)]
                    if die_in
                    else []
                ),
                phase_marker.flag(self._markers),
                *flags,
            ],
        )
        attempt = scenario.run_attempt(
            len(self.attempts), self._launcher, _ignore
        )
        self.attempts.append(attempt)
        return attempt

    def run_until_point(
        self, point: kill_points.KillPoint | None, *flags: str
    ) -> run_pb2.Attempt:
        """Runs an attempt in which ranks are killed at a point.

        Args:
            point: The point; None to count all of them, see `points`.
            flags: Additional flags for every rank.
        """
        # Only the first attempt is sure to write the index of the data set: a
        # rank that dies elsewhere may or may not leave one behind.
        counted = self.checkpoints if self.attempts else self.work
        return self.run(kill_points.flag(point, counted, self._markers), *flags)

    def killed(self, rank: int) -> tuple[str, list[int]] | None:
        """Returns where a rank was killed at its point, and who with it.

        None if the last attempt's rank did not reach it.
        """
        return kill_points.killed(self._markers, rank)

    def points(self, rank: int, series: str) -> int:
        """Returns how many points the last attempt counted."""
        return kill_points.counts(self._markers, rank, series)

    def run_until(self, iteration: int) -> None:
        """Runs an attempt whose ranks are killed in an iteration."""
        case = case_pb2.Case()
        case.CopyFrom(self._scenario.case)
        del case.interruption[:]
        case.interruption.add(
            iteration=iteration,
            phase=case_pb2.FORWARD,
            signal=case_pb2.SIGKILL,
        )
        record = dataclasses.replace(self._scenario, case=case).run_interrupted(
            self._launcher, _ignore
        )
        self.attempts.append(record.attempts[0])

    def phase(self, rank: int) -> str:
        """Returns the phase in which a rank's last attempt ended."""
        return phase_marker.read(phase_marker.path(self._markers, rank))

    def steps(self, rank: int) -> Sequence[str]:
        """Returns the steps of a save that the last attempt counted."""
        path = die_at_step.log(self._markers, rank)
        return path.read_text().splitlines() if path.exists() else []

    def pid(self, rank: int) -> int | None:
        """Returns a rank's pid in this attempt; None until it has started."""
        path = phase_marker.pid_path(self._markers, rank)
        try:
            return int(path.read_text())
        except (FileNotFoundError, ValueError):
            return None

    @property
    def checkpoints(self) -> pathlib.Path:
        """The folder of its checkpoints."""
        return self._scenario.files.checkpoints

    def forget(self) -> None:
        """Deletes the job's files."""
        shutil.rmtree(self.work.parent)

    @property
    def _markers(self) -> pathlib.Path:
        return self.work.parent / "phase_markers"


def loaded(attempt: run_pb2.Attempt) -> set[int | None]:
    """Returns the iterations that the ranks loaded; None for no checkpoint."""
    found: set[int | None] = set()
    for rank in attempt.ranks:
        for event in rank.events:
            kind = event.checkpoint.kind
            if kind == run_pb2.CheckpointEvent.LOADED:
                found.add(event.checkpoint.iteration)
            elif kind == run_pb2.CheckpointEvent.NONE_FOUND:
                found.add(None)
    return found


def finished(attempt: run_pb2.Attempt) -> bool:
    """Whether every rank trained to the end and exited with 0."""
    return all(
        exit_codes.exited_with(rank.exit, exit_codes.SUCCESS)
        and any(event.HasField("finished") for event in rank.events)
        for rank in attempt.ranks
    )


def _ignore(attempt: int, rank: int, progress: run_pb2.Progress) -> None:
    del attempt, rank, progress
