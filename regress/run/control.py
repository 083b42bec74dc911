"""A rank's connection to the supervisor that started it.

Each packet on the control socket (AF_UNIX, SOCK_SEQPACKET) is one serialized
`Progress`. The supervisor answers a waiting rank with a packet of one byte. A
rank without a supervisor has no socket, and all functions here do nothing.
"""

import os
import socket
import time

from regress import errors
from regress.case import case_pb2
from regress.run import run_pb2

# Environment variables set by the supervisor.
#
# File descriptor of the rank's end of its control socket.
CONTROL_FD = "REGRESS_CONTROL_FD"
# TCP port on 127.0.0.1 where the job's ranks rendezvous.
STORE_PORT = "REGRESS_STORE_PORT"
# Rank 0 only: file descriptor of the socket that listens on that port.
STORE_FD = "REGRESS_STORE_FD"
# If it is set, the rank stands by before it imports its trainer.
STANDS_BY = "REGRESS_STANDS_BY"


class ControlError(errors.UserError):
    """REGRESS_CONTROL_FD does not refer to a socket."""


def stand_by() -> bool:
    """Waits for the supervisor to want this rank, if it is not wanted yet.

    The ranks of later attempts are launched with those of the first, and cost
    next to nothing as long as they stand by. For launchers, before they call
    the trainer.

    Returns:
        Whether the rank is wanted: not if the supervisor has disconnected.
    """
    if os.environ.pop(STANDS_BY, None) is None:
        return True
    try:
        return bool(os.read(int(os.environ[CONTROL_FD]), 1))
    except ConnectionResetError:
        return False


def waits_to_begin(progress: run_pb2.Progress) -> bool:
    """Whether the message was sent by `Control.wait_to_begin`."""
    return progress.waiting and not progress.phase


def for_last_message() -> "Control":
    """Returns a second connection, which stays when the trainer hangs up.

    Call it before the trainer opens its own. It is for `Control.end` only.
    """
    try:
        fd = os.dup(int(os.environ[CONTROL_FD]))
        return Control(socket.socket(fileno=fd))
    except (KeyError, OSError, ValueError):
        # A trainer that wants the connection says what is wrong with it.
        return Control(None)


class Control:
    """Reports this rank's progress to the supervisor.

    A vanished supervisor is not an error: the kernel kills its ranks, and until
    then messages are dropped.
    """

    def __init__(self, channel: socket.socket | None) -> None:
        """Uses `channel` as the socket; None means no supervisor."""
        self._channel = channel

    @classmethod
    def from_environment(cls) -> "Control":
        """Takes ownership of the socket named by the environment, if any.

        Call this once per process.

        Raises:
            ControlError: REGRESS_CONTROL_FD is set, but not to a socket.
        """
        value = os.environ.get(CONTROL_FD)
        if value is None:
            return cls(None)
        try:
            channel = socket.socket(fileno=int(value))
        except (OSError, ValueError) as error:
            raise ControlError(
                f"{CONTROL_FD} must be the file descriptor of a socket, but"
                f" is {value!r} ({error}): unset it to run a rank by hand."
            ) from error
        channel.set_inheritable(False)
        return cls(channel)

    def progress(self, iteration: int, text: str) -> None:
        """Reports a completed iteration, and that the rank is alive.

        Args:
            iteration: The last completed iteration, or 0 if there is none.
            text: Text for human readers, such as "lm loss 5.1234". Must not be
                empty if `iteration` is 0: the serialized message would be
                empty, and an empty packet looks like a closed socket.

        Raises:
            ValueError: `iteration` is 0 and `text` is empty.
        """
        if not iteration and not text:
            raise ValueError("Progress at iteration 0 needs a text.")
        self._send(run_pb2.Progress(iteration=iteration, text=text))

    def wait_to_begin(self) -> None:
        """Waits for the supervisor's permission to begin.

        Call this after all preparation that does not depend on other attempts.
        An earlier attempt may still be writing checkpoints, so do not look at
        its files before this returns. Without a supervisor, it returns at once.
        """
        self._wait(run_pb2.Progress(waiting=True))

    def wait_here(self, iteration: int, phase: "case_pb2.Phase") -> None:
        """Waits in a phase of an iteration, usually to be interrupted there.

        Returns when the supervisor answers; without a supervisor, at once.

        Args:
            iteration: The current iteration.
            phase: The current phase of the step.
        """
        self._wait(
            run_pb2.Progress(iteration=iteration, phase=phase, waiting=True)
        )

    def announce(self, iteration: int, phase: "case_pb2.Phase") -> None:
        """Reports that a phase is reached, without waiting there.

        For whoever stands between the supervisor and a process that it cannot
        make wait. The supervisor's answer is left unread.

        Args:
            iteration: The iteration at which the supervisor may interrupt.
            phase: The phase, likewise.
        """
        self._send(
            run_pb2.Progress(iteration=iteration, phase=phase, waiting=True)
        )

    def end(self) -> None:
        """Reports that this rank begins to end.

        Call this before its connections to its peers close. A peer that fails
        for want of them may be seen to end first; the time in this message
        shows which of them was.
        """
        self._send(run_pb2.Progress(ends_at=time.monotonic()))

    def _wait(self, message: run_pb2.Progress) -> None:
        self._send(message)
        if self._channel is None:
            return
        try:
            self._channel.recv(1)
        except ConnectionResetError:
            self._hang_up()

    def _send(self, message: run_pb2.Progress) -> None:
        if self._channel is None:
            return
        try:
            self._channel.send(message.SerializeToString())
        except (BrokenPipeError, ConnectionResetError):
            self._hang_up()

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel = None
