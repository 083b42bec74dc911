"""When to interrupt a job, which ranks to hit, and with which signal."""

import signal

from regress.case import case_pb2
from regress.run import run_pb2
from regress.supervisor import errors

_SIGNALS = {
    case_pb2.SIGKILL: signal.SIGKILL,
    case_pb2.SIGTERM: signal.SIGTERM,
    case_pb2.SIGSTOP: signal.SIGSTOP,
}


class Interruption:
    """An interruption that was checked against the size of the job.

    Attributes:
        ranks: The ranks to hit, ascending.
        signal: The signal to send.
        graceful: Whether all ranks must end with status 0 after the signal.
    """

    def __init__(self, wanted: case_pb2.Interruption, world_size: int) -> None:
        """Checks the case's interruption.

        Args:
            wanted: The interruption of the case.
            world_size: The number of ranks in the job.

        Raises:
            SupervisorError: It names a rank that the job does not have, or no
                signal.
        """
        unknown = [rank for rank in wanted.ranks if not 0 <= rank < world_size]
        if unknown:
            raise errors.SupervisorError(
                f"The interruption must hit ranks 0 to {world_size - 1}, but"
                f" names rank {unknown[0]}."
            )
        if wanted.signal not in _SIGNALS:
            raise errors.SupervisorError(
                "The interruption must name a signal, but names"
                f" {case_pb2.Signal.Name(wanted.signal)}."
            )
        self._wanted = wanted
        self.ranks = sorted(set(wanted.ranks)) or list(range(world_size))
        self.signal = _SIGNALS[wanted.signal]
        self.graceful = wanted.graceful

    def matches(self, progress: run_pb2.Progress) -> bool:
        """Whether the sender of this message waits for the interruption."""
        return (
            progress.waiting
            and progress.iteration == self._wanted.iteration
            and progress.phase == self._wanted.phase
        )

    def event(
        self, ranks: list[int], seconds: float
    ) -> run_pb2.InterruptionEvent:
        """Returns the record of the delivered interruption.

        Args:
            ranks: The ranks that the signal was sent to.
            seconds: Time since the start of the attempt.
        """
        return run_pb2.InterruptionEvent(
            iteration=self._wanted.iteration,
            phase=self._wanted.phase,
            signal=self._wanted.signal,
            ranks=ranks,
            seconds=seconds,
        )
