"""Decides when a job hangs, or takes too long."""

import dataclasses
import math
from collections.abc import Iterable

from regress.run import run_pb2


@dataclasses.dataclass(frozen=True)
class Bounds:
    """How long a job may be silent, and how long it may take.

    Attributes:
        start_seconds: Maximum from the launch until every rank has sent its
            first progress message.
        step_seconds: Maximum after that between two progress messages, from
            whichever ranks, and from the last message to the end.
        attempt_seconds: Maximum from the launch to the end, whatever the ranks
            send. A trainer of ours knows its last iteration; another one may
            go on forever.
    """

    start_seconds: float
    step_seconds: float
    attempt_seconds: float = math.inf


class Watchdog:
    """Tracks the deadline. All times are seconds of one `WatchedClock`."""

    def __init__(
        self, bounds: Bounds, ranks: Iterable[int], now: float
    ) -> None:
        """Starts the clock at `now`, the launch of `ranks`."""
        self._bounds = bounds
        self._silent = set(ranks)
        self._launched = now
        self._heard = now

    @property
    def deadline(self) -> float:
        """The time at which the job is ended, unless it progresses."""
        return min(self._silent_until, self._end)

    @property
    def _silent_until(self) -> float:
        if self._silent:
            return self._launched + self._bounds.start_seconds
        return self._heard + self._bounds.step_seconds

    @property
    def _end(self) -> float:
        return self._launched + self._bounds.attempt_seconds

    def heard(self, rank: int, now: float) -> None:
        """Notes that a rank sent a progress message."""
        self._silent.discard(rank)
        self._heard = now

    def ended(self, rank: int) -> None:
        """Notes that a rank ended, so its first message is not awaited."""
        self._silent.discard(rank)

    def interrupted(self, now: float) -> None:
        """Notes the interruption; from now on `step_seconds` applies."""
        self._silent.clear()
        self._heard = now

    def broken_bound(
        self, running: Iterable[run_pb2.LastSeen]
    ) -> run_pb2.AttemptEnd:
        """Returns the bound that sets `deadline`, and whom it found.

        Args:
            running: The ranks that have not ended.
        """
        if self._end < self._silent_until:
            return run_pb2.AttemptEnd(
                too_long=run_pb2.AttemptEnd.TooLong(
                    seconds=self._bounds.attempt_seconds, ranks=running
                )
            )
        return run_pb2.AttemptEnd(
            silence=run_pb2.AttemptEnd.Silence(
                seconds=self._bounds.start_seconds
                if self._silent
                else self._bounds.step_seconds,
                unheard_ranks=sorted(self._silent),
                ranks=running,
            )
        )
