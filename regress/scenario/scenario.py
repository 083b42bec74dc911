"""Runs a job from its first launch to its end, and returns its run record."""

import contextlib
import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures

from regress.case import case_pb2, fingerprint
from regress.checkpoint import inventory
from regress.run import event_stream, exit_codes, packages, run_pb2
from regress.scenario import job_files
from regress.supervisor import attempt, gpu_sharing, launcher, watchdog

_READ_BACK_FLAG = "--read_back"

# Called with the index of the attempt, the rank, and the rank's message.
OnProgress = Callable[[int, int, run_pb2.Progress], None]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A job to run.

    Attributes:
        case: The case to train.
        hardware: The declared hardware, such as `none` or `nvidia_h200`.
        files: Where the job's files go.
        bounds: The watchdog's time bounds.
        trainer_flags: Additional flags for the trainer, passed to every rank.
    """

    case: case_pb2.Case
    hardware: str
    files: job_files.JobFiles
    bounds: watchdog.Bounds
    trainer_flags: Sequence[str] = ()

    @property
    def corpus(self) -> pathlib.Path:
        """Path of the case's .bin and .idx files, without the suffix."""
        return pathlib.Path(self.case.data.corpus)

    def run_resumed(
        self, launcher: launcher.Launcher, on_progress: OnProgress
    ) -> run_pb2.RunRecord:
        """Runs the job, interrupts and resumes it as the case says, reads back.

        If the case asks for it, the finished job is launched once more.

        All ranks are launched up front and stand by. Those of a later attempt
        get ready while the attempt before it runs. They look for a checkpoint
        once that attempt is over, and only if it ended as it had to: after a
        crash there is nothing to learn from them.
        """
        record = self._record([])
        index = self._read_back_index + self.case.relaunch_finished
        self._run_through(index, record, launcher, on_progress)
        return record

    @property
    def _read_back_index(self) -> int:
        """The index of the read-back: it follows the last attempt."""
        return len(self.case.interruption) + 1

    def _run_through(
        self,
        index: int,
        record: run_pb2.RunRecord,
        launcher: launcher.Launcher,
        on_progress: OnProgress,
        following: attempt.Attempt | None = None,
    ) -> None:
        """Adds the attempts up to `index` to the record.

        They are launched in the opposite order: one that ends takes its
        descendants with it, and all that was launched within it.
        """
        with self._launched(
            index,
            launcher,
            self._interruption(index),
            on_progress,
            [_READ_BACK_FLAG] if index == self._read_back_index else [],
        ) as launched:
            if index:
                self._run_through(
                    index - 1, record, launcher, on_progress, launched
                )
                if not self._may_continue(record):
                    return
                # A failure leaves nothing to launch again.
                if index > self._read_back_index and not _ended_well(
                    record.read_back
                ):
                    return
            else:
                launched.prepare()
            if following is not None:
                following.prepare()
            if index < self._read_back_index:
                record.attempts.append(self._run(index, launched))
            elif index == self._read_back_index:
                self._read_back(record, launched)
            else:
                self._relaunch(record, launched)

    def _read_back(
        self, record: run_pb2.RunRecord, launched: attempt.Attempt
    ) -> None:
        # The ranks only read, so the directory is listed beside them.
        with futures.ThreadPoolExecutor(1) as beside:
            listing = beside.submit(inventory.take, self.files.checkpoints)
            record.read_back.CopyFrom(
                self._run(self._read_back_index, launched)
            )
            record.checkpoints.CopyFrom(listing.result())

    def _relaunch(
        self, record: run_pb2.RunRecord, launched: attempt.Attempt
    ) -> None:
        record.relaunch.CopyFrom(self._run(self._read_back_index + 1, launched))
        record.checkpoints_after_relaunch.CopyFrom(
            inventory.take(self.files.checkpoints)
        )

    def _interruption(self, index: int) -> case_pb2.Interruption | None:
        """What an attempt is to be interrupted by."""
        if index < len(self.case.interruption):
            return self.case.interruption[index]
        return None

    def _may_continue(self, record: run_pb2.RunRecord) -> bool:
        """Whether the last attempt of a record ended as it had to."""
        last = record.attempts[-1]
        if self._interruption(last.index) is None:
            return _ended_well(last)
        return last.HasField("interruption")

    def resume(
        self,
        record: run_pb2.RunRecord,
        launcher: launcher.Launcher,
        on_progress: OnProgress,
    ) -> None:
        """Runs the next attempt, which resumes, and adds it to the record."""
        index = len(record.attempts)
        record.attempts.append(
            self._run_attempt(
                index, launcher, self._interruption(index), on_progress
            )
        )

    def read_back(
        self,
        record: run_pb2.RunRecord,
        launcher: launcher.Launcher,
        on_progress: OnProgress,
    ) -> None:
        """Adds the read-back to the record, if the last attempt ended well."""
        if self._may_continue(record):
            with self._launched(
                self._read_back_index,
                launcher,
                None,
                on_progress,
                [_READ_BACK_FLAG],
            ) as launched:
                self._read_back(record, launched)

    def relaunch(
        self,
        record: run_pb2.RunRecord,
        launcher: launcher.Launcher,
        on_progress: OnProgress,
    ) -> None:
        """Launches the job that was read back once more, and adds that."""
        with self._launched(
            self._read_back_index + 1, launcher, None, on_progress
        ) as launched:
            self._relaunch(record, launched)

    def repeat(
        self,
        record: run_pb2.RunRecord,
        launcher: launcher.Launcher,
        through: int,
        on_progress: OnProgress,
    ) -> None:
        """Repeats attempt 0 in separate folders, and adds it to the record.

        Args:
            record: The record of this scenario.
            launcher: Starts the ranks.
            through: The last iteration of interest. Every rank completes it and
                is then killed.
            on_progress: Called with attempt 0.
        """
        interruption = case_pb2.Interruption(
            iteration=through + 1,
            # When the last rank is in its forward pass, all others have sent it
            # their activations, so each has recorded the iteration before.
            phase=case_pb2.FORWARD,
            signal=case_pb2.SIGKILL,
        )
        again = dataclasses.replace(self, files=self.files.of_repeat())
        record.repeat.CopyFrom(
            again._run_attempt(
                0,
                launcher,
                interruption
                if through < self.case.training.iterations
                else None,
                on_progress,
            )
        )

    def run_interrupted(
        self, launcher: launcher.Launcher, on_progress: OnProgress
    ) -> run_pb2.RunRecord:
        """Runs the job as attempt 0, up to the case's first interruption."""
        return self._run_first(launcher, self._interruption(0), on_progress)

    def run_uninterrupted(
        self, launcher: launcher.Launcher, on_progress: OnProgress
    ) -> run_pb2.RunRecord:
        """Runs the job from beginning to end, in one attempt."""
        return self._run_first(launcher, None, on_progress)

    def run_attempt(
        self, index: int, launcher: launcher.Launcher, on_progress: OnProgress
    ) -> run_pb2.Attempt:
        """Runs one attempt without interrupting it.

        The attempt resumes from the newest checkpoint, if there is one, and
        ends when the job finishes or a rank is gone.

        Args:
            index: Index of the attempt. The events of an earlier attempt with
                the same index are deleted.
            launcher: Starts the ranks.
            on_progress: Called with `index`.
        """
        return self._run_attempt(index, launcher, None, on_progress)

    def write_case(self) -> pathlib.Path:
        """Writes the case for the ranks if needed, and returns its path."""
        path = self.files.case(self.case.name)
        text = str(self.case)
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return path

    def partial_record(self) -> run_pb2.RunRecord:
        """Returns the record of a run that was cut short, from the event files.

        The record does not say how any rank ended.

        Raises:
            EventStreamError: A rank's event file is damaged.
        """
        record = self._record([])
        for index in range(self._read_back_index):
            ranks = [
                run_pb2.RankRecord(rank=rank)
                for rank in range(self.case.parallelism.pipeline)
                if self.files.events(index, rank).exists()
            ]
            if ranks:
                record.attempts.append(
                    self._with_events(run_pb2.Attempt(index=index, ranks=ranks))
                )
        return record

    def preload_argv(self) -> list[str]:
        """Returns the flags of the trainer's `preload`."""
        return [f"--hardware={self.hardware}"]

    def environment(self) -> dict[str, str]:
        """Returns additional environment variables for all processes."""
        return {"TMPDIR": str(self.files.temporary)}

    def _run_first(
        self,
        launcher: launcher.Launcher,
        interruption: case_pb2.Interruption | None,
        on_progress: OnProgress,
    ) -> run_pb2.RunRecord:
        return self._record(
            [self._run_attempt(0, launcher, interruption, on_progress)]
        )

    def _record(self, attempts: Sequence[run_pb2.Attempt]) -> run_pb2.RunRecord:
        image_python = packages.image_python()
        return run_pb2.RunRecord(
            case=self.case,
            case_fingerprint=fingerprint.fingerprint(self.case),
            corpus_digest=_digest_of(self.corpus),
            attempts=attempts,
            packages=packages.all_versions(),
            image_python=image_python,
            package_records=packages.record_digests() if image_python else {},
        )

    def _run_attempt(
        self,
        index: int,
        launcher: launcher.Launcher,
        interruption: case_pb2.Interruption | None,
        on_progress: OnProgress,
    ) -> run_pb2.Attempt:
        with self._launched(
            index, launcher, interruption, on_progress
        ) as launched:
            return self._run(index, launched)

    @contextlib.contextmanager
    def _launched(
        self,
        index: int,
        launcher: launcher.Launcher,
        interruption: case_pb2.Interruption | None,
        on_progress: OnProgress,
        more_flags: Sequence[str] = (),
    ) -> Iterator[attempt.Attempt]:
        ranks = range(self.case.parallelism.pipeline)
        for rank in ranks:
            # Ranks append to the file, and an earlier run may have left one.
            self.files.events(index, rank).unlink(missing_ok=True)
        with (
            gpu_sharing.environments(
                self.hardware, len(ranks), self.files.attempt(index)
            ) as devices,
            attempt.launched(
                launcher,
                [
                    self._command(
                        index, rank, interruption, devices[rank], more_flags
                    )
                    for rank in ranks
                ],
                interruption=interruption,
                bounds=self.bounds,
                on_progress=lambda rank, progress: on_progress(
                    index, rank, progress
                ),
            ) as launched,
        ):
            yield launched

    def _run(self, index: int, launched: attempt.Attempt) -> run_pb2.Attempt:
        result = launched.run()
        result.index = index
        return self._with_events(result)

    def _with_events(self, result: run_pb2.Attempt) -> run_pb2.Attempt:
        """Adds to each rank's record the events that the rank wrote."""
        for record in result.ranks:
            path = self.files.events(result.index, record.rank)
            # A rank that died before its first event has no file.
            if path.exists():
                events, record.torn = event_stream.read(path)
                record.events.extend(events)
        return result

    def _command(
        self,
        index: int,
        rank: int,
        interruption: case_pb2.Interruption | None,
        devices: Mapping[str, str],
        more_flags: Sequence[str],
    ) -> attempt.RankCommand:
        argv = [
            *self.preload_argv(),
            f"--case={self.write_case()}",
            f"--rank={rank}",
            f"--corpus={self.corpus}",
            f"--checkpoints={self.files.checkpoints}",
            f"--data_cache={self.files.data_cache}",
            f"--events={self.files.events(index, rank)}",
            *self.trainer_flags,
            *more_flags,
        ]
        if interruption is not None and interruption.graceful:
            argv.append("--save_on_sigterm")
        # The last stage is last in a forward pass and first in a backward pass.
        # So when its rank waits, all others are in the same iteration.
        is_last = rank == self.case.parallelism.pipeline - 1
        if interruption is not None and is_last:
            phase = case_pb2.Phase.Name(interruption.phase)
            argv.append(f"--wait_at={interruption.iteration}:{phase}")
        return attempt.RankCommand(
            argv,
            self.files.log(index, rank),
            {**self.environment(), **devices},
        )


def _ended_well(result: run_pb2.Attempt) -> bool:
    """Whether every rank ended on its own, with exit code 0."""
    return all(
        rank.exit.cause == run_pb2.ExitStatus.BY_ITSELF
        and exit_codes.exited_with(rank.exit, exit_codes.SUCCESS)
        for rank in result.ranks
    )


def _digest_of(corpus: pathlib.Path) -> str:
    """Returns the SHA-256 of both files' SHA-256s; "" if one is missing."""
    digest = hashlib.sha256()
    for suffix in (".bin", ".idx"):
        path = corpus.with_name(corpus.name + suffix)
        if not path.is_file():
            return ""
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
