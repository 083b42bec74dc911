"""Runs a command as a case says, and a second time without interruption.

The folder of the job is empty at the first launch of each run, and is moved
aside when the run is over. So every run finds the same paths.
"""

import dataclasses
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Sequence

from regress.case import case_pb2, command_case
from regress.run import client_file, event_stream, exit_codes, run_pb2
from regress.scenario import job_checkpoints, job_files, tensorboard_files
from regress.supervisor import attempt, exec_launcher, watchdog
from regress.supervisor import launcher as launcher_lib

_RELAY = "regress.supervisor.command_relay"
# The command is the only rank that the supervisor knows.
_RANK = 0

# The runs, as the folders of their jobs are called.
RESUMED = "resumed"
UNINTERRUPTED = "uninterrupted"
REPEAT = "repeat"

# How long the relay may take to end what outlives the command.
_RELAY_SECONDS = 20.0

# Called with the name of the run or attempt, and the command's progress.
OnProgress = Callable[[str, run_pb2.Progress], None]


@dataclasses.dataclass(frozen=True)
class CommandScenario:
    """A command to run.

    Attributes:
        case: The case, as loaded.
        files: Where the files go.
        on_progress: Called with the command's progress.
        compare: Compares the newest checkpoints of two job folders.
        launcher: Starts the relay, which starts the command; by default, both
            are programs of their own.
    """

    case: case_pb2.CommandCase
    files: job_files.JobFiles
    on_progress: OnProgress
    compare: Callable[
        [pathlib.Path, pathlib.Path], run_pb2.CheckpointComparison
    ]
    launcher: launcher_lib.Launcher | None = None

    def run(self) -> run_pb2.RunRecord:
        """Interrupts and resumes the command, then runs it uninterrupted.

        The uninterrupted run and the comparison are left out if an attempt did
        not end as it had to.
        """
        record = self.new_record()
        while len(record.attempts) <= len(self.case.interruption):
            if not self.add_attempt(record):
                return record
        self.move_aside(RESUMED)
        self.add_uninterrupted(record, resumed_after(record))
        self.compare_resumed(record)
        return record

    def new_record(self) -> run_pb2.RunRecord:
        """Returns a record without any attempt."""
        return run_pb2.RunRecord(
            case=case_pb2.Case(
                name=self.case.name, interruption=self.case.interruption
            ),
            command=self.case,
        )

    def add_attempt(self, record: run_pb2.RunRecord) -> bool:
        """Runs the next attempt; returns whether it ended as it had to."""
        index = len(record.attempts)
        result = self._attempt(index, self.files, f"attempt {index}")
        record.attempts.append(result)
        return self._ended_as_asked(index, result)

    def add_uninterrupted(
        self, record: run_pb2.RunRecord, digest_after: Sequence[int]
    ) -> None:
        """Runs the command without interruption, in an empty folder.

        Args:
            record: The record to add it to.
            digest_after: The iterations after which an observed command digests
                its state.
        """
        record.uninterrupted.CopyFrom(
            self._attempt(
                len(self.case.interruption),
                self.files.of_uninterrupted(),
                "the uninterrupted run",
                digest_after=digest_after,
            )
        )
        self.move_aside(UNINTERRUPTED)

    def compare_resumed(self, record: run_pb2.RunRecord) -> None:
        """Compares what the resumed and the uninterrupted run have left."""
        if _ended_well(record.uninterrupted):
            record.checkpoint.CopyFrom(
                self.compare(
                    job_aside(self.files, UNINTERRUPTED),
                    job_aside(self.files, RESUMED),
                )
            )

    def repeat(self, record: run_pb2.RunRecord) -> None:
        """Adds another uninterrupted run, to see whether it is the same."""
        record.repeat.CopyFrom(
            self._attempt(
                len(self.case.interruption),
                self.files.of_repeat(),
                "the repeat",
            )
        )
        again = self.move_aside(REPEAT)
        if _ended_well(record.repeat):
            record.repeated_checkpoint.CopyFrom(
                self.compare(job_aside(self.files, UNINTERRUPTED), again)
            )

    @property
    def job(self) -> pathlib.Path:
        """The job's folder, whichever run it is."""
        return self.files.work / "job"

    def move_aside(self, name: str) -> pathlib.Path:
        """Moves the job's folder to where `job_aside` says."""
        return self.job.rename(job_aside(self.files, name))

    def _attempt(
        self,
        index: int,
        files: job_files.JobFiles,
        name: str,
        *,
        digest_after: Sequence[int] = (),
    ) -> run_pb2.Attempt:
        self.job.mkdir(parents=True, exist_ok=True)
        last = len(self.case.interruption)
        interruption = self.case.interruption[index] if index < last else None
        # Runs of their own begin with attempt 0.
        number = index if files is self.files else 0
        events = files.events(number, _RANK)
        events.unlink(missing_ok=True)
        argv = [
            f"--case={self._write_case(number, files)}",
            f"--events={events}",
            f"--python_path={os.environ.get('PYTHONPATH', '')}",
        ]
        observed = files.work / f"observed_{number}"
        if self.case.observe:
            shutil.rmtree(observed, ignore_errors=True)
            observed.mkdir(parents=True)
            argv.append(f"--observed={observed}")
            argv.append(f"--saves={saves(files)}")
            after = ",".join(map(str, digest_after))
            argv.append(f"--digest_after={after}")
        step_seconds = self.case.step_seconds
        if interruption is not None:
            phase = case_pb2.Phase.Name(interruption.phase)
            argv.append(f"--interrupt_at={interruption.iteration}")
            argv.append(f"--phase={phase}")
            if interruption.signal == case_pb2.SIGKILL:
                argv.append("--stop")
            else:
                # The relay ends a command that SIGTERM does not.
                grace = self.case.grace_seconds + _RELAY_SECONDS
                step_seconds = max(step_seconds, grace)
        before = tensorboard_files.sizes(self.job, self.case.tensorboard)
        result = attempt.run_attempt(
            self.launcher or exec_launcher.ExecLauncher(_RELAY),
            [attempt.RankCommand(argv, files.log(number, _RANK))],
            interruption=interruption,
            bounds=watchdog.Bounds(
                self.case.start_seconds, step_seconds, self.case.attempt_seconds
            ),
            on_progress=lambda _, progress: self.on_progress(name, progress),
        )
        result.index = number
        if result.HasField("end"):
            result.end.of_command = True
            result.end.observed = self.case.observe
        if events.exists():
            read, result.ranks[_RANK].torn = event_stream.read(events)
            result.ranks[_RANK].events.extend(read)
        if self.case.observe:
            result.observed.extend(client_file.read_all(observed))
        result.checkpoints_left.extend(
            job_checkpoints.describe(self.job, self.case.checkpoints)
        )
        result.event_files.extend(
            tensorboard_files.read_new(self.job, self.case.tensorboard, before)
        )
        return result

    def _write_case(
        self, number: int, files: job_files.JobFiles
    ) -> pathlib.Path:
        path = files.attempt(number) / "command.textproto"
        filled = command_case.fill_in(
            self.case,
            {
                command_case.JOB: str(self.job),
                command_case.PYTHON: sys.executable,
            },
        )
        path.write_text(str(filled), encoding="utf-8")
        return path

    def _ended_as_asked(self, index: int, result: run_pb2.Attempt) -> bool:
        if index == len(self.case.interruption):
            return _ended_well(result)
        graceful = self.case.interruption[index].graceful
        return result.HasField("interruption") and not any(
            event.command_end.overstayed
            or (graceful and not exit_codes.exited_with(rank.exit, 0))
            for rank in result.ranks
            for event in rank.events
        )


def resumed_after(record: run_pb2.RunRecord) -> list[int]:
    """Returns the iterations after which the resumes have begun."""
    return sorted(
        {
            state.iteration
            for resume in record.attempts[1:]
            for rank in resume.observed
            for state in rank.states
            if state.moment == run_pb2.StateDigest.CONTINUED
        }
    )


def saves(files: job_files.JobFiles) -> pathlib.Path:
    """Returns the file in which the attempts of a run note their saves."""
    return files.work / "saves.jsonl"


def job_aside(files: job_files.JobFiles, run: str) -> pathlib.Path:
    """Returns the folder of a run's job, after the run."""
    return files.work / f"{run}_job"


def _ended_well(result: run_pb2.Attempt) -> bool:
    return all(
        rank.exit.cause == run_pb2.ExitStatus.BY_ITSELF
        and exit_codes.exited_with(rank.exit, exit_codes.SUCCESS)
        for rank in result.ranks
    )
