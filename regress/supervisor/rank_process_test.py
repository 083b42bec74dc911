"""Tests for one rank's process."""

import os
import pathlib
import signal
import socket
import sys
import time

from absl.testing import absltest

from regress.case import case_pb2
from regress.run import attempt_end, run_pb2
from regress.supervisor import (
    errors,
    linux,
    rank_group_test_helper,
    rank_process,
)

# Prints the pid of a child, then pauses as the child does.
_PARENT = """
import os, signal, sys
child = os.fork()
if child:
    print(child, flush=True)
signal.pause()
"""


class RankProcessTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = pathlib.Path(self.create_tempdir().full_path) / "log"

    def start(self, code: str) -> rank_process.RankProcess:
        """Starts a rank with a control socket; its stdout goes to the log."""
        with open(self.log, "wb") as log:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-c", code],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, log.fileno(), 1)],
                setsid=True,
            )
        ours, self.theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        process = rank_process.RankProcess(2, pid, ours, self.log)
        self.addCleanup(self.theirs.close)
        self.addCleanup(process.close)

        def end() -> None:
            if process.exit is None:
                process.kill()
                process.reap()

        self.addCleanup(end)
        return process

    def send(self, message: run_pb2.Progress) -> None:
        self.theirs.send(message.SerializeToString())

    def test_is_killed_with_its_group(self) -> None:
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        with linux.child_subreaper():
            process = self.start(f"import os; os.dup2({writer}, 1)\n{_PARENT}")
            os.close(writer)
            with open(reader) as pids:
                child = os.pidfd_open(int(pids.readline()))
            self.assertFalse(process.is_ending())
            process.kill()
            rank_group_test_helper.wait_for_end(process.pidfd)
            rank_group_test_helper.wait_for_end(child)
            os.close(child)
            self.assertTrue(process.is_ending())
            # Killing it again is allowed until it is reaped.
            process.kill()
            process.reap()
            linux.end_children(spare=set())

    def test_says_how_it_ended(self) -> None:
        for code, expected in (
            ("", (0, 0)),
            ("raise SystemExit(200)", (200, 0)),
            ("import os; os.kill(os.getpid(), 9)", (0, signal.SIGKILL)),
        ):
            process = self.start(code)
            status = process.reap()
            self.assertEqual((status.code, status.signal), expected)
            process.cause = run_pb2.ExitStatus.BY_ITSELF
            record = process.record()
            self.assertEqual(record.rank, 2)
            self.assertEqual(record.exit.code, status.code)
            self.assertEqual(record.exit.cause, run_pb2.ExitStatus.BY_ITSELF)

    def test_hears_one_message_at_a_time(self) -> None:
        process = self.start("")
        self.assertIsNone(process.receive())
        messages = [
            run_pb2.Progress(text="ready"),
            run_pb2.Progress(iteration=1),
        ]
        for message in messages:
            self.send(message)
        self.theirs.close()
        self.assertEqual([process.receive(), process.receive()], messages)
        self.assertFalse(process.disconnected)
        self.assertIsNone(process.receive())
        self.assertTrue(process.disconnected)
        self.assertIsNone(process.receive())
        # Sending to a disconnected rank does nothing.
        process.let_continue()

    def test_counts_a_reset_connection_as_disconnected(self) -> None:
        process = self.start("")
        process.let_continue()
        self.theirs.close()
        self.assertIsNone(process.receive())
        self.assertTrue(process.disconnected)

    def test_names_a_message_that_is_none(self) -> None:
        process = self.start("")
        self.theirs.send(b"\xff\xff")
        with self.assertRaisesRegex(
            errors.SupervisorError,
            "^Rank 2 must send Progress messages .* but sent 2 bytes",
        ):
            process.receive()

    def test_says_where_it_is(self) -> None:
        process = self.start("")
        for message, expected in (
            (
                run_pb2.Progress(waiting=True),
                "ready, before its first iteration",
            ),
            (run_pb2.Progress(iteration=7), "after iteration 7"),
            (
                run_pb2.Progress(iteration=7, text="lm loss 5.1"),
                "after iteration 7 (lm loss 5.1)",
            ),
            (
                run_pb2.Progress(
                    iteration=8, phase=case_pb2.OPTIMIZER_STEP, waiting=True
                ),
                "waiting in OPTIMIZER_STEP of iteration 8",
            ),
        ):
            self.send(message)
            process.receive()
            self.assertEqual(
                attempt_end.describe_progress(process.last_seen()), expected
            )

    def test_says_how_it_failed(self) -> None:
        process = self.start("print('adieu'); exit(3)")
        process.reap()
        self.assertEqual(
            process.failure(),
            run_pb2.AttemptEnd.Failure(
                rank=run_pb2.LastSeen(
                    rank=2, log=str(self.log), last_log_line="adieu"
                ),
                code=3,
            ),
        )

    def test_ends_when_it_says_so(self) -> None:
        started = time.monotonic() - 1
        process = self.start("")
        self.send(run_pb2.Progress(iteration=7))
        self.send(run_pb2.Progress(ends_at=started + 0.25))
        self.assertEqual(process.receive(), run_pb2.Progress(iteration=7))
        self.assertIsNone(process.receive())
        self.assertEqual(process.last_seen().progress.iteration, 7)
        self.assertEqual(process.reap(started).seconds, 0.25)

    def test_ends_no_later_than_it_is_reaped(self) -> None:
        started = time.monotonic()
        process = self.start("")
        self.send(run_pb2.Progress(ends_at=started + 1e6))
        process.receive()
        status = process.reap(started)
        self.assertBetween(status.seconds, 0, time.monotonic() - started)

    def test_has_a_state(self) -> None:
        process = self.start("import signal; signal.pause()")
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        process.look()
        self.assertEqual(process.last_seen().process_state, "T")


if __name__ == "__main__":
    absltest.main()
