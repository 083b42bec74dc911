"""Tests for the process that outlives the supervisor."""

import os
import signal
import subprocess
import sys

from absl.testing import absltest

from regress.supervisor import guard, linux, rank_group_test_helper


class GuardTest(absltest.TestCase):
    def start_group(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", "import signal; signal.pause()"],
            start_new_session=True,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_kills_the_groups_that_it_watches(self) -> None:
        watched, forgotten, unknown = (self.start_group() for _ in range(3))
        with guard.Guard() as running:
            for process in (watched, forgotten):
                running.watch(process.pid)
            running.forget(forgotten.pid)
            self.assertIsNone(watched.poll())
        # The guard has been reaped, so it has done everything.
        self.assertEqual(watched.wait(timeout=60), -signal.SIGKILL)
        self.assertIsNone(forgotten.poll())
        self.assertIsNone(unknown.poll())

    def test_needs_no_group_to_be_there(self) -> None:
        gone, there = self.start_group(), self.start_group()
        with guard.Guard() as running:
            running.watch(gone.pid)
            running.watch(there.pid)
            gone.kill()
            gone.wait()
        self.assertEqual(there.wait(timeout=60), -signal.SIGKILL)

    def test_may_be_stopped(self) -> None:
        watched = self.start_group()
        with guard.Guard() as running:
            running.watch(watched.pid)
            os.kill(running.pid, signal.SIGSTOP)
        self.assertEqual(watched.wait(timeout=60), -signal.SIGKILL)

    def test_may_be_killed(self) -> None:
        with guard.Guard() as running:
            pidfd = os.pidfd_open(running.pid)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            rank_group_test_helper.wait_for_end(pidfd)
            os.close(pidfd)
            running.watch(1)
            running.forget(1)
        self.assertNotIn(running.pid, linux.children())

    def test_is_out_of_reach_of_signals_to_the_supervisors_group(self) -> None:
        with guard.Guard() as running:
            self.assertNotEqual(os.getsid(running.pid), os.getsid(0))


if __name__ == "__main__":
    absltest.main()
