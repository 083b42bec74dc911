"""Decides when a job hangs."""

import dataclasses
from collections.abc import Iterable

from regress.run import run_pb2


@dataclasses.dataclass(frozen=True)
class Bounds:
    """How long a job may be silent.

    Attributes:
        start_seconds: Maximum from the launch until every rank has sent its
            first progress message.
        step_seconds: Maximum after that between two progress messages, from
            whichever ranks, and from the last message to the end.
    """

    start_seconds: float
    step_seconds: float


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
        """The time at which the job counts as hung, unless it progresses."""
        if self._silent:
            return self._launched + self._bounds.start_seconds
        return self._heard + self._bounds.step_seconds

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

    def broken_bound(self) -> run_pb2.AttemptEnd.Silence:
        """Returns the bound that sets `deadline`, and the silent ranks."""
        return run_pb2.AttemptEnd.Silence(
            seconds=self._bounds.start_seconds
            if self._silent
            else self._bounds.step_seconds,
            unheard_ranks=sorted(self._silent),
        )
