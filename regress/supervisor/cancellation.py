"""Handles signals that ask the supervisor to stop."""

import signal
import socket
from types import FrameType, TracebackType
from typing import Self

from regress import errors
from regress.run import attempt_end, run_pb2

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Cancelled(errors.UserError):
    """The attempt was cut short by a signal to the supervisor.

    Attributes:
        attempt: What was observed before the signal; all ranks have ended.
        signal: SIGTERM or SIGINT.
    """

    def __init__(self, attempt: run_pb2.Attempt, number: int) -> None:
        """Holds the attempt and the signal."""
        self.attempt = attempt
        self.signal = signal.Signals(number)
        super().__init__(attempt_end.describe(attempt.end))


class StopSignals:
    """A context manager that reports SIGTERM and SIGINT on a file descriptor.

    Enter it in the main thread, as Python's signal handlers require.

    Attributes:
        received: The first signal received, as of the last `read` or the exit
            of the context; None if there was none.
    """

    def __init__(self) -> None:
        """Installs nothing until the context is entered."""
        self.received: signal.Signals | None = None

    def __enter__(self) -> Self:
        """Installs the signal handlers."""
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(
            self._writer.fileno(), warn_on_full_buffer=False
        )
        self._handlers_before = {
            number: signal.signal(number, _do_nothing) for number in _SIGNALS
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restores the previous signal handlers."""
        for number, handler in self._handlers_before.items():
            # None stands for a handler that was not installed from Python.
            signal.signal(
                number, signal.SIG_DFL if handler is None else handler
            )
        signal.set_wakeup_fd(self._wakeup_before)
        self.read()
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Returns a descriptor that is readable once a signal has arrived."""
        return self._reader.fileno()

    def read(self) -> None:
        """Updates `received`."""
        try:
            numbers = self._reader.recv(4096)
        except BlockingIOError:
            return
        # Python reports every signal that has a handler here.
        for number in numbers:
            if number in _SIGNALS and self.received is None:
                self.received = signal.Signals(number)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    # The byte in the wake-up socket is enough.
    pass
