"""One rank's process."""

import contextlib
import math
import os
import pathlib
import signal
import socket
import time
from collections.abc import Sequence

from google.protobuf import message

from regress.run import exit_codes, run_pb2
from regress.supervisor import errors, linux, log_tail

_PACKET_BYTES = 1 << 16


class RankProcess:
    """A rank: a child of this process that leads its own session.

    Attributes:
        rank: Its number in the job.
        pid: Its pid, which is also its process group id.
        pidfd: Becomes readable when the process ends.
        control: The supervisor's end of its control socket.
        disconnected: Whether the rank has closed the other end.
        log: The file with its stdout and stderr.
        last_progress: The last message that it sent.
        cause: Why it ended, once that is decided.
        was_killed: Whether it still ran when `end` was called.
        process_state: Its state, as the kernel's letter, when the watchdog
            ended it; otherwise "".
        exit: How it ended, once it is reaped.
    """

    def __init__(
        self, rank: int, pid: int, control: socket.socket, log: pathlib.Path
    ) -> None:
        """Takes over a child and the supervisor's end of its control socket."""
        self.rank = rank
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        control.setblocking(False)
        self.control = control
        self.disconnected = False
        self.log = log
        self.last_progress: run_pb2.Progress | None = None
        self.cause = run_pb2.ExitStatus.CAUSE_UNSPECIFIED
        self.was_killed = False
        self.process_state = ""
        self._ends_at: float | None = None
        self.exit: run_pb2.ExitStatus | None = None

    def is_ending(self) -> bool:
        """Whether it has begun to end. Do not call after `reap`."""
        return self._ends_at is not None or linux.is_exiting(self.pid)

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to the rank only, not to its descendants."""
        signal.pidfd_send_signal(self.pidfd, number)

    def kill(self) -> None:
        """SIGKILLs the rank and its process group. Do not call after `reap`."""
        # A rank that was just forked may not lead its group yet.
        for kill in (
            lambda: signal.pidfd_send_signal(self.pidfd, signal.SIGKILL),
            lambda: os.killpg(self.pid, signal.SIGKILL),
        ):
            with contextlib.suppress(ProcessLookupError):
                kill()

    def end(self) -> None:
        """Kills it, and notes whether it still ran."""
        self.was_killed = self.was_killed or not linux.is_exiting(self.pid)
        self.kill()

    def ends_within(self, seconds: float) -> bool:
        """Waits for the process to end; returns whether it has."""
        return linux.ends_within(self.pidfd, seconds)

    def reap(self, started: float | None = None) -> run_pb2.ExitStatus:
        """Waits for the process to end; its pid may be reused afterwards.

        Args:
            started: When the attempt started, by `time.monotonic`; None if it
                does not matter when the process ended.
        """
        _, status, usage = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self.exit = run_pb2.ExitStatus(
            code=max(code, 0),
            signal=max(-code, 0),
            user_seconds=usage.ru_utime,
            system_seconds=usage.ru_stime,
            peak_resident_bytes=usage.ru_maxrss * 1024,
            told=self._ends_at is not None,
        )
        if started is not None:
            ended_at = min(self._ends_at or math.inf, time.monotonic())
            self.exit.seconds = ended_at - started
        return self.exit

    def receive(self) -> run_pb2.Progress | None:
        """Returns the next message of its progress, or None if none is pending.

        Raises:
            SupervisorError: The rank sent something that is not a Progress
                message.
        """
        progress = self._next_message()
        while progress is not None and progress.HasField("ends_at"):
            self._ends_at = progress.ends_at
            progress = self._next_message()
        if progress is not None:
            self.last_progress = progress
        return progress

    def _next_message(self) -> run_pb2.Progress | None:
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
            return run_pb2.Progress.FromString(packet)
        except message.DecodeError as error:
            raise errors.SupervisorError(
                f"Rank {self.rank} must send Progress messages over its"
                f" control socket, but sent {len(packet)} bytes that are not a"
                " Progress message: use regress.run.control."
            ) from error

    def let_continue(self) -> None:
        """Lets a waiting rank continue."""
        # It may have ended, or may not read the answers.
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            self.control.send(b"\1")

    def close(self) -> None:
        """Closes the supervisor's descriptors."""
        self.control.close()
        os.close(self.pidfd)

    def last_seen(self) -> run_pb2.LastSeen:
        """Returns the rank's last progress and the path of its log."""
        return run_pb2.LastSeen(
            rank=self.rank,
            progress=self.last_progress,
            log=str(self.log),
            process_state=self.process_state,
        )

    def failure(self) -> run_pb2.AttemptEnd.Failure:
        """Returns how and where it ended. Call after `reap`."""
        assert self.exit is not None
        seen = self.last_seen()
        seen.last_log_line = log_tail.last_log_line(self.log)
        return run_pb2.AttemptEnd.Failure(
            rank=seen, code=self.exit.code, signal=self.exit.signal
        )

    def failed(self) -> bool:
        """Whether it failed on its own. Call after `reap`."""
        if self.was_killed and self.ended_by(signal.SIGKILL):
            return False
        return not self.succeeded()

    def succeeded(self) -> bool:
        """Whether it exited with 0. Call after `reap`."""
        assert self.exit is not None
        return exit_codes.exited_with(self.exit, exit_codes.SUCCESS)

    def told_before(self, seconds: float) -> bool:
        """Whether it told of its end before then. Call after `reap`."""
        assert self.exit is not None
        return self.exit.told and not self.ended_after(seconds)

    def ended_by(self, number: signal.Signals) -> bool:
        """Whether the signal ended it. Call after `reap`."""
        assert self.exit is not None
        return self.exit.signal == number

    def ended_after(self, seconds: float) -> bool:
        """Whether it ended then or later, counted as in its exit status."""
        assert self.exit is not None
        return self.exit.seconds >= seconds

    def failed_before(self, other: "RankProcess") -> bool:
        """Whether this one failed first, of two that failed."""
        assert self.exit is not None and other.exit is not None
        return exit_codes.order(self.exit) < exit_codes.order(other.exit)

    def record(self) -> run_pb2.RankRecord:
        """Returns the exit status with its cause. Call after `reap`."""
        record = run_pb2.RankRecord(rank=self.rank, exit=self.exit)
        record.exit.cause = self.cause
        record.exit.process_state = self.process_state
        return record

    def look(self) -> None:
        """Notes the state of the process. Call before `reap`."""
        self.process_state = linux.process_state(self.pid)


def send_at_once(
    processes: Sequence[RankProcess], number: signal.Signals
) -> None:
    """Sends a signal so that no rank sees another rank die of it first.

    A rank that dies closes its connections; a peer that notices this before
    its own signal arrives would exit on its own, with an exit code. So all
    ranks are stopped first. Do not use this for a signal that ranks handle: a
    stopped rank may run on before it handles the signal.
    """
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    if number == signal.SIGSTOP:
        return
    for then in (number, signal.SIGCONT):
        for process in processes:
            process.send_signal(then)
