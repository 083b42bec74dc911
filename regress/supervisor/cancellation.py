"""The supervisor is told to stop."""

import signal
import socket
from types import FrameType, TracebackType
from typing import Self

from regress.run import attempt_end, run_pb2

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Cancelled(Exception):  # noqa: N818  (not an error)
    """The attempt was cut short by a signal to the supervisor.

    Attributes:
        attempt: What was observed until then; all its ranks have ended.
        signal: SIGTERM or SIGINT.
    """

    def __init__(self, attempt: run_pb2.Attempt, number: int) -> None:
        """Carries the attempt."""
        self.attempt = attempt
        self.signal = signal.Signals(number)
        super().__init__(attempt_end.describe(attempt.end))


class StopSignals:
    """Turns SIGTERM and SIGINT into a readable file while it is entered.

    Of the main thread, as Python's signal handlers are.

    Attributes:
        received: The first one that has come, as of the last `read` or the
            exit.
    """

    def __init__(self) -> None:
        """Makes a context manager."""
        self.received: signal.Signals | None = None

    def __enter__(self) -> Self:
        """Takes the signals over."""
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
        """Gives the signals back."""
        for number, handler in self._handlers_before.items():
            # None is a handler that Python does not know.
            signal.signal(
                number, signal.SIG_DFL if handler is None else handler
            )
        signal.set_wakeup_fd(self._wakeup_before)
        self.read()
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._reader.fileno()

    def read(self) -> None:
        """Takes note of the signals that have come."""
        try:
            numbers = self._reader.recv(4096)
        except BlockingIOError:
            return
        # Python reports every signal here that has a handler.
        for number in numbers:
            if number in _SIGNALS and self.received is None:
                self.received = signal.Signals(number)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    # The byte in the wake-up socket says it all.
    pass
