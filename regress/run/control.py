"""A rank's way to the supervisor that started it.

One packet of the control socket (AF_UNIX, SOCK_SEQPACKET) is one serialized
`Progress`; the supervisor answers a waiting rank with a packet of one byte. A
rank that nobody supervises has no socket, and everything here does nothing.
"""

import os
import socket

from regress import errors
from regress.case import case_pb2
from regress.run import run_pb2

# Environment variables that the supervisor sets.
#
# File descriptor of the rank's end of its control socket.
CONTROL_FD = "REGRESS_CONTROL_FD"
# TCP port on 127.0.0.1 where the job's ranks find each other.
STORE_PORT = "REGRESS_STORE_PORT"
# On rank 0: file descriptor of the socket that listens on that port.
STORE_FD = "REGRESS_STORE_FD"
# If it is set, the rank stands by before it imports its trainer.
STANDS_BY = "REGRESS_STANDS_BY"


class ControlError(errors.UserError):
    """The environment names something that is not a control socket."""


def stand_by() -> bool:
    """Waits for the supervisor to want this rank, if it is not wanted yet.

    The ranks of later attempts are launched with those of the first, and cost
    next to nothing as long as they stand by. For launchers, before they call
    the trainer.

    Returns:
        Whether the rank is wanted: not if the supervisor has hung up.
    """
    if os.environ.pop(STANDS_BY, None) is None:
        return True
    try:
        return bool(os.read(int(os.environ[CONTROL_FD]), 1))
    except ConnectionResetError:
        return False


def waits_to_begin(progress: run_pb2.Progress) -> bool:
    """Whether the message is that of `Control.wait_to_begin`."""
    return progress.waiting and not progress.phase


class Control:
    """Tells the supervisor how far this rank is.

    A supervisor that is gone is no error: the kernel ends its ranks, and
    until it has done so nothing is sent any more.
    """

    def __init__(self, channel: socket.socket | None) -> None:
        """Speaks over `channel`, or to nobody if it is None."""
        self._channel = channel

    @classmethod
    def from_environment(cls) -> "Control":
        """Takes over the socket that the environment names, if it names one.

        To be called once in a process.

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
        """Says that an iteration is done; also, that the rank is alive.

        Args:
            iteration: The last one completed, 0 if none is.
            text: For the reader, as "lm loss 5.1234". Not empty before the
                first iteration: the message would be, and an empty packet reads
                like a closed socket.
        """
        if not iteration and not text:
            raise ValueError("Progress at iteration 0 needs a text.")
        self._send(run_pb2.Progress(iteration=iteration, text=text))

    def wait_to_begin(self) -> None:
        """Waits, with all that does not depend on other attempts done.

        Whatever an earlier attempt may still write, as a checkpoint, is not to
        be looked at before. Returns at once without a supervisor.
        """
        self._wait(run_pb2.Progress(waiting=True))

    def wait_here(self, iteration: int, phase: "case_pb2.Phase") -> None:
        """Waits in a phase of an iteration, usually to be interrupted there.

        Returns when the supervisor says so, and at once without one.

        Args:
            iteration: The one under way.
            phase: Where in its step the rank is.
        """
        self._wait(
            run_pb2.Progress(iteration=iteration, phase=phase, waiting=True)
        )

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
