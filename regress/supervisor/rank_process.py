"""One rank, as a process."""

import contextlib
import os
import pathlib
import signal
import socket
from collections.abc import Sequence

from google.protobuf import message

from regress.run import run_pb2
from regress.supervisor import errors, linux, log_tail

_PACKET_BYTES = 1 << 16


class RankProcess:
    """A child of this process that leads its own session.

    Attributes:
        rank: Its number in the job.
        pid: Its pid, and its process group's.
        pidfd: Readable when the process has ended.
        control: This end of its control socket.
        disconnected: The rank has closed the other end.
        log: The file that has its stdout and stderr.
        last_progress: The last message it sent.
        cause: Why it ended, once that is decided.
        process_state: The kernel's letter for it when the watchdog ended it.
        exit: How it ended, once it is reaped.
    """

    def __init__(
        self, rank: int, pid: int, control: socket.socket, log: pathlib.Path
    ) -> None:
        """Takes over a child and this end of its control socket."""
        self.rank = rank
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        control.setblocking(False)
        self.control = control
        self.disconnected = False
        self.log = log
        self.last_progress: run_pb2.Progress | None = None
        self.cause = run_pb2.ExitStatus.CAUSE_UNSPECIFIED
        self.process_state = ""
        self.exit: run_pb2.ExitStatus | None = None

    def has_ended(self) -> bool:
        """Whether it has ended, reaped or not."""
        if self.exit is not None:
            return True
        end = os.waitid(
            os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT
        )
        return end is not None

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to the rank alone, not to its descendants."""
        signal.pidfd_send_signal(self.pidfd, number)

    def kill(self) -> None:
        """SIGKILLs the rank and its process group. Not after `reap`."""
        # The rank is not in its group yet if it was forked this instant.
        for kill in (
            lambda: signal.pidfd_send_signal(self.pidfd, signal.SIGKILL),
            lambda: os.killpg(self.pid, signal.SIGKILL),
        ):
            with contextlib.suppress(ProcessLookupError):
                kill()

    def reap(self) -> run_pb2.ExitStatus:
        """Waits for the end of the process; its pid is free afterwards."""
        _, status, usage = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self.exit = run_pb2.ExitStatus(
            code=max(code, 0),
            signal=max(-code, 0),
            user_seconds=usage.ru_utime,
            system_seconds=usage.ru_stime,
            peak_resident_bytes=usage.ru_maxrss * 1024,
        )
        return self.exit

    def receive(self) -> run_pb2.Progress | None:
        """The next message, or None if there is none now.

        Raises:
            SupervisorError: The rank has sent something else.
        """
        if self.disconnected:
            return None
        try:
            packet = self.control.recv(_PACKET_BYTES)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            packet = b""
        if not packet:
            self.disconnected = True
            return None
        try:
            progress = run_pb2.Progress.FromString(packet)
        except message.DecodeError as error:
            raise errors.SupervisorError(
                f"Rank {self.rank} must send Progress messages over its"
                f" control socket, but sent {len(packet)} bytes that are none:"
                " use regress.run.control."
            ) from error
        self.last_progress = progress
        return progress

    def let_continue(self) -> None:
        """Answers a rank that waits."""
        # It may be gone, or take no answers.
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            self.control.send(b"\1")

    def close(self) -> None:
        """Closes this end of everything."""
        self.control.close()
        os.close(self.pidfd)

    def last_seen(self) -> run_pb2.LastSeen:
        """How far it has come, and where its log is."""
        return run_pb2.LastSeen(
            rank=self.rank,
            progress=self.last_progress,
            log=str(self.log),
            process_state=self.process_state,
        )

    def failure(self) -> run_pb2.AttemptEnd.Failure:
        """How it ended, where, and its log's last line; once reaped."""
        assert self.exit is not None
        seen = self.last_seen()
        seen.last_log_line = log_tail.last_line(self.log)
        return run_pb2.AttemptEnd.Failure(
            rank=seen, code=self.exit.code, signal=self.exit.signal
        )

    def record(self) -> run_pb2.RankRecord:
        """The rank's exit status with its cause, once reaped."""
        record = run_pb2.RankRecord(rank=self.rank, exit=self.exit)
        record.exit.cause = self.cause
        record.exit.process_state = self.process_state
        return record

    def look(self) -> None:
        """Takes note of what the process does; only before `reap`."""
        self.process_state = linux.process_state(self.pid)


def send_at_once(
    processes: Sequence[RankProcess], number: signal.Signals
) -> None:
    """Sends a signal so that no rank lives to see another one end by it.

    A rank that dies closes its connections. A peer that noticed before its own
    signal came would end by itself, with an exit code. Not for a signal that a
    rank is to answer: one that was stopped may continue before it takes note.
    """
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    if number == signal.SIGSTOP:
        return
    for then in (number, signal.SIGCONT):
        for process in processes:
            process.send_signal(then)
