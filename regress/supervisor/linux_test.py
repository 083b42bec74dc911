"""Tests for the process calls."""

import os
import resource
import signal
import subprocess
import sys
import threading
from unittest import mock

from absl.testing import absltest

from regress.supervisor import linux, rank_group_test_helper

_PAUSE = "import signal; signal.pause()"
# Prints the pid of a child and does not wait for it.
_ORPHAN = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {_PAUSE!r}],
                         stdout=subprocess.DEVNULL, start_new_session=True)
print(child.pid)
"""


def _start(code: str) -> int:
    """Starts a child that the test must reap."""
    return os.posix_spawn(
        sys.executable, [sys.executable, "-c", code], os.environ
    )


class LimitTest(absltest.TestCase):
    # More than any other process has, and another one for each process.
    _LIMIT = (1 << 60) + os.getpid()

    def test_is_inherited_and_found(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_RTTIME)
        with linux.limited_to(self._LIMIT):
            limited = os.posix_spawn(
                sys.executable, [sys.executable, "-c", _PAUSE], {}
            )
        self.assertEqual(resource.getrlimit(resource.RLIMIT_RTTIME), before)
        other = _start(_PAUSE)
        self.assertEqual(linux.processes_limited_to(self._LIMIT), {limited})
        os.kill(limited, signal.SIGKILL)
        # A zombie still has its limits.
        os.waitid(os.P_PID, limited, os.WEXITED | os.WNOWAIT)
        self.assertEmpty(linux.processes_limited_to(self._LIMIT))
        os.kill(other, signal.SIGKILL)
        for pid in (limited, other):
            os.waitpid(pid, 0)


class ChildrenTest(absltest.TestCase):
    def test_are_found_dead_or_alive(self) -> None:
        alive, dead = _start(_PAUSE), _start("")
        os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)
        self.assertContainsSubset({alive, dead}, linux.children())
        os.kill(alive, signal.SIGKILL)
        for pid in (alive, dead):
            os.waitpid(pid, 0)
            self.assertNotIn(pid, linux.children())

    def test_are_ended_but_for_those_to_spare(self) -> None:
        spared, doomed = _start(_PAUSE), _start(_PAUSE)
        linux.end_children(spare={spared})
        self.assertEqual(linux.children(), {spared})
        with self.assertRaises(ChildProcessError):
            os.waitpid(doomed, 0)
        linux.end_children(spare=set())
        self.assertEmpty(linux.children())

    def test_may_be_reaped_by_another_thread_before_they_are_ended(
        self,
    ) -> None:
        gone, doomed = _start(""), _start(_PAUSE)
        os.waitpid(gone, 0)
        with mock.patch.object(
            linux, "children", side_effect=[{gone, doomed}, set()]
        ):
            self.assertEmpty(linux.end_children(spare=set()))
        self.assertEmpty(linux.children())

    def test_of_a_subreaper_are_its_descendants_orphans(self) -> None:
        with linux.child_subreaper():
            orphan = int(
                subprocess.check_output([sys.executable, "-c", _ORPHAN])
            )
            self.assertIn(orphan, linux.children())
            linux.end_children(spare=set())
            with self.assertRaises(ProcessLookupError):
                os.pidfd_open(orphan)

    def test_of_who_is_no_subreaper_any_more_are_not(self) -> None:
        with linux.child_subreaper():
            with linux.child_subreaper():
                pass
            inner = int(
                subprocess.check_output([sys.executable, "-c", _ORPHAN])
            )
            self.assertIn(inner, linux.children())
            linux.end_children(spare=set())
        outer = int(subprocess.check_output([sys.executable, "-c", _ORPHAN]))
        self.assertNotIn(outer, linux.children())
        os.kill(outer, signal.SIGKILL)


class ProcessTest(absltest.TestCase):
    def test_has_a_state(self) -> None:
        pid = _start(_PAUSE)
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)
        self.assertEqual(linux.process_state(pid), "T")
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(linux.process_state(pid), "Z")
        os.waitpid(pid, 0)
        with self.assertRaises(FileNotFoundError):
            linux.process_state(pid)

    def test_exits_before_it_ends(self) -> None:
        code = (
            f"from {rank_group_test_helper.TRAINER} import main;"
            "main(['end_slowly'])"
        )
        with subprocess.Popen([sys.executable, "-c", code]) as process:
            pidfd = os.pidfd_open(process.pid)
            self.addCleanup(os.close, pidfd)
            while linux.process_state(process.pid) != "Z":
                pass
            self.assertTrue(linux.is_exiting(process.pid))
            self.assertFalse(linux.ends_within(pidfd, 0))
            process.kill()
        self.assertFalse(linux.is_exiting(os.getpid()))

    def test_has_a_state_whatever_its_name(self) -> None:
        code = (
            "open('/proc/self/comm', 'w').write('a) Z 1 (b');"
            f"print(flush=True); {_PAUSE}"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            self.assertIn(linux.process_state(process.pid), "RS")
            self.assertIn(process.pid, linux.children())
            process.kill()

    def test_knows_its_threads(self) -> None:
        self.assertLen(linux.thread_names(), 1)
        event = threading.Event()
        thread = threading.Thread(target=event.wait)
        thread.start()
        self.assertLen(linux.thread_names(), 2)
        event.set()
        thread.join()

    def test_dies_with_its_parent(self) -> None:
        # The parent exits at the end of its stdin.
        child = (
            "import os, signal, sys;"
            "from regress.supervisor import linux;"
            "linux.die_with_parent(int(sys.argv[1]));"
            "print(os.getpid(), flush=True);"
            "signal.pause()"
        )
        parent = (
            "import os, subprocess, sys;"
            "subprocess.Popen([sys.executable, '-c', sys.argv[1],"
            " str(os.getpid())], stdin=subprocess.DEVNULL);"
            "sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", parent, child],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            pidfd = os.pidfd_open(int(process.stdout.readline()))
            self.assertFalse(rank_group_test_helper.has_ended(pidfd))
            process.stdin.close()
            rank_group_test_helper.wait_for_end(pidfd)
            os.close(pidfd)

    def test_dies_if_its_parent_is_dead_already(self) -> None:
        child = os.fork()
        if child == 0:
            # This is the child's own pid, not its parent's.
            linux.die_with_parent(os.getpid())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 1)


if __name__ == "__main__":
    absltest.main()
