"""Helpers for tests that run whole jobs."""

import contextlib
import os
import pathlib
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl.testing import parameterized

from regress.case import case_pb2
from regress.run import run_pb2
from regress.supervisor import (
    attempt,
    exec_launcher,
    launcher,
    linux,
    watchdog,
    zygote_launcher,
)

TRAINER = "regress.supervisor.scripted_trainer_test_helper"

# Bounds for tests that are not about the watchdog; never reached.
PATIENCE = watchdog.Bounds(start_seconds=60, step_seconds=60)


@contextlib.contextmanager
def open_launcher(
    name: str, directory: pathlib.Path, preload_argv: Sequence[str] = ()
) -> Iterator[launcher.Launcher]:
    """Opens a launcher of the scripted trainer.

    Args:
        name: "exec" or "zygote".
        directory: Directory for the zygote's log.
        preload_argv: The script of the zygote's preload.
    """
    if name == "exec":
        with exec_launcher.ExecLauncher(TRAINER) as opened:
            yield opened
    else:
        with zygote_launcher.ZygoteLauncher(
            TRAINER, preload_argv, directory / "zygote.log"
        ) as zygote:
            yield zygote


def commands(
    directory: pathlib.Path, scripts: list[str]
) -> list[attempt.RankCommand]:
    """Returns one command per rank.

    Args:
        directory: Directory for the ranks' logs.
        scripts: One script per rank: words separated by spaces.
    """
    return [
        attempt.RankCommand(
            argv=script.split(),
            log=directory / f"rank{rank}.log",
            environment={"RANK": str(rank), "WORLD_SIZE": str(len(scripts))},
        )
        for rank, script in enumerate(scripts)
    ]


def has_ended(pidfd: int, seconds: float = 0) -> bool:
    """Whether a process has ended or ends within the time.

    Args:
        pidfd: The process's pidfd, or one end of a pipe whose other end only
            the process has.
        seconds: How long to wait.
    """
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def wait_for_end(pidfd: int) -> None:
    """Waits until a process has ended."""
    if not has_ended(pidfd, seconds=60):
        raise AssertionError("A process still lives that should not.")


class JobTestCase(parameterized.TestCase):
    """A test that runs jobs of scripted ranks and checks that they clean up."""

    def setUp(self) -> None:
        """Creates a directory for logs."""
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)
        self._pidfds: list[int] = []
        self.progress: list[tuple[int, run_pb2.Progress]] = []

    def make_fifo(self, name: str = "fifo") -> pathlib.Path:
        """Creates a FIFO, which ranks use to wait for each other."""
        fifo = self.directory / name
        os.mkfifo(fifo)
        return fifo

    def open_pidfd(self, pid: int) -> int:
        """Opens a pidfd that is closed after the test."""
        pidfd = os.pidfd_open(pid)
        self.addCleanup(os.close, pidfd)
        self._pidfds.append(pidfd)
        return pidfd

    def on_progress(self, rank: int, progress: run_pb2.Progress) -> None:
        """Appends to `progress`."""
        self.progress.append((rank, progress))

    def messages_of(self, rank: int) -> list[run_pb2.Progress]:
        """Returns one rank's messages."""
        return [message for sender, message in self.progress if sender == rank]

    def texts(self) -> list[str]:
        """Returns the texts of all messages, in the order of arrival."""
        return [progress.text for _, progress in self.progress]

    def run_job(
        self,
        launcher_name: str | launcher.Launcher,
        scripts: list[str],
        *,
        interruption: case_pb2.Interruption | None = None,
        bounds: watchdog.Bounds = PATIENCE,
        on_progress: Callable[[int, run_pb2.Progress], None] | None = None,
    ) -> run_pb2.Attempt:
        """Runs one attempt; fails the test if it leaves anything behind."""
        with contextlib.ExitStack() as stack:
            opened = (
                stack.enter_context(
                    open_launcher(launcher_name, self.directory)
                )
                if isinstance(launcher_name, str)
                else launcher_name
            )
            before = self.footprint()
            try:
                return attempt.run_attempt(
                    opened,
                    commands(self.directory, scripts),
                    interruption=interruption,
                    bounds=bounds,
                    on_progress=on_progress or self.on_progress,
                )
            finally:
                self.assertEqual(self.footprint(), before)

    def assert_ends(self, result: run_pb2.Attempt, expected: list[str]) -> None:
        """Asserts why and how each rank ended.

        Args:
            result: The attempt.
            expected: "CAUSE SIGNAL" or "CAUSE CODE" for each rank.
        """
        self.assertEqual([_describe(rank) for rank in result.ranks], expected)
        self.assertEqual(
            [rank.rank for rank in result.ranks], list(range(len(expected)))
        )

    def footprint(self) -> dict[str, Any]:
        """Returns this process's resources that an attempt could leak."""
        return {
            "children": linux.children(),
            "descriptors": {
                path.name: str(path.readlink())
                for path in pathlib.Path("/proc/self/fd").iterdir()
                # The descriptor of the directory itself is closed by now.
                if path.is_symlink() and int(path.name) not in self._pidfds
            },
            "handlers": [
                signal.getsignal(number)
                for number in (signal.SIGTERM, signal.SIGINT)
            ],
            "wakeup": _wakeup_fd(),
        }


def _describe(rank: run_pb2.RankRecord) -> str:
    cause = run_pb2.ExitStatus.Cause.Name(rank.exit.cause)
    if rank.exit.signal:
        return f"{cause} {signal.Signals(rank.exit.signal).name}"
    return f"{cause} {rank.exit.code}"


def _wakeup_fd() -> int:
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd)
    return fd
