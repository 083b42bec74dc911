"""Tests that nothing outlives the supervisor, however it dies."""

import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterable

from absl.testing import absltest, parameterized

from regress.supervisor import (
    guard,
    linux,
    rank_group_test_helper,
    supervisor_test_helper,
)

_RANKS = 4


class SupervisorDeathTest(parameterized.TestCase):
    @parameterized.product(
        launcher=["exec", "zygote"],
        number=[signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGINT],
        # A daemon has a session of its own; a stray has no environment either.
        kind=["child", "daemon", "stray"],
        guard_stopped=[False, True],
    )
    def test_leaves_no_process(
        self,
        launcher: str,
        number: signal.Signals,
        kind: str,
        guard_stopped: bool,
    ) -> None:
        with _start(
            launcher, self.create_tempdir().full_path, kind
        ) as supervisor:
            assert supervisor.stdout is not None
            grandchildren = [
                int(supervisor.stdout.readline()) for _ in range(_RANKS)
            ]
            # The ranks, the guard and, if there is one, the zygote.
            children = linux.children(supervisor.pid)
            self.assertLen(children, _RANKS + 1 + (launcher == "zygote"))
            pidfds = [os.pidfd_open(pid) for pid in (*children, *grandchildren)]
            for pidfd in pidfds:
                self.addCleanup(os.close, pidfd)
                self.assertFalse(rank_group_test_helper.has_ended(pidfd))
            if guard_stopped:
                os.kill(_guard(children), signal.SIGSTOP)
            supervisor.send_signal(number)
            for pidfd in pidfds:
                rank_group_test_helper.wait_for_end(pidfd)
            last_line = supervisor.stdout.read()
        if number in (signal.SIGTERM, signal.SIGINT):
            self.assertEqual(supervisor.returncode, 128 + number)
            self.assertEqual(
                last_line, f"The supervisor was sent {number.name}.\n"
            )
        else:
            self.assertEqual(supervisor.returncode, -number)

    @parameterized.parameters(signal.SIGKILL, signal.SIGTERM)
    def test_leaves_no_zygote_that_preloads(
        self, number: signal.Signals
    ) -> None:
        directory = self.create_tempdir().full_path
        fifo = pathlib.Path(directory) / "fifo"
        os.mkfifo(fifo)
        with _start(
            "zygote", directory, "child", f"open:{fifo}:w", "pause"
        ) as supervisor:
            # Waits until the zygote opens it; no other process does.
            reader = os.open(fifo, os.O_RDONLY)
            self.addCleanup(os.close, reader)
            supervisor.send_signal(number)
            rank_group_test_helper.wait_for_end(reader)
            self.assertEqual(os.read(reader, 1), b"")
        self.assertEqual(supervisor.returncode, -number)


def _guard(pids: Iterable[int]) -> int:
    """Returns the pid of the guard among those of some processes."""
    name = guard.__name__.encode()
    (found,) = (
        pid
        for pid in pids
        if name in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    return found


def _start(
    launcher: str, directory: str, kind: str, *preload_argv: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-m",
            supervisor_test_helper.__name__,
            launcher,
            directory,
            kind,
            *preload_argv,
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


if __name__ == "__main__":
    absltest.main()
