"""When a job is late."""

import dataclasses
from collections.abc import Iterable

from regress.run import run_pb2


@dataclasses.dataclass(frozen=True)
class Bounds:
    """How long a job may be silent.

    Attributes:
        start_seconds: From the launch to the first progress message of every
            rank.
        step_seconds: From then on, between two progress messages of the job,
            whichever ranks send them, and from the last one to the end.
    """

    start_seconds: float
    step_seconds: float


class Watchdog:
    """Knows the deadline; times are in seconds of one monotonic clock."""

    def __init__(
        self, bounds: Bounds, ranks: Iterable[int], now: float
    ) -> None:
        """Starts at the launch of `ranks`."""
        self._bounds = bounds
        self._silent = set(ranks)
        self._launched = now
        self._heard = now

    @property
    def deadline(self) -> float:
        """When the job is late, if nothing happens before."""
        if self._silent:
            return self._launched + self._bounds.start_seconds
        return self._heard + self._bounds.step_seconds

    def heard(self, rank: int, now: float) -> None:
        """A rank has sent a progress message."""
        self._silent.discard(rank)
        self._heard = now

    def ended(self, rank: int) -> None:
        """A rank has ended, so nothing more is to be heard of it."""
        self._silent.discard(rank)

    def interrupted(self, now: float) -> None:
        """Ranks were sent the interruption's signal: the job is under way."""
        self._silent.clear()
        self._heard = now

    def broken_bound(self) -> run_pb2.AttemptEnd.Silence:
        """The bound that `deadline` comes from."""
        return run_pb2.AttemptEnd.Silence(
            seconds=self._bounds.start_seconds
            if self._silent
            else self._bounds.step_seconds,
            unheard_ranks=sorted(self._silent),
        )
