"""A clock that stands still while nobody looks.

A supervisor that was stopped, starved, or on a laptop or in a virtual machine
that slept has not seen its ranks. They may have slept, too, or have sent
messages that it has not read. So time counts as silence only if the supervisor
looked out for messages meanwhile.

The time is CLOCK_MONOTONIC's. Nobody can set it, so neither an administrator
nor NTP makes it jump, as the wall clock may. It stands still while Linux itself
suspends the machine; a hypervisor that freezes a machine may let it jump, which
looks like a supervisor that was stopped.
"""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

# How long the process sleeps at most, so that it can tell sleep from absence.
_SLICE_SECONDS = 1.0
# How much later than planned it may wake up and still count as awake. Even a
# machine with a load of 60 on two cores lets a process run within that time.
_LATE_SECONDS = 1.0


class WatchedClock:
    """Tells the seconds during which `look` was called again and again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts to watch.

        Args:
            clock: Returns seconds; it may jump forward.
        """
        self._clock = clock
        self._looked = clock()
        self._away = 0.0

    def now(self) -> float:
        """Returns the seconds of a monotonic clock, without the absences."""
        return self._clock() - self._away

    def look(self, wait: Callable[[float], _T], seconds: float) -> _T:
        """Waits until something happens, a while has passed, or less.

        Args:
            wait: Waits for a number of seconds at most.
            seconds: How long to wait at most. With 0, `wait` only looks what
                has happened already.

        Returns:
            What `wait` returned.
        """
        planned = min(max(seconds, 0.0), _SLICE_SECONDS)
        happened = wait(planned)
        now = self._clock()
        absence = now - self._looked - planned
        if absence > _LATE_SECONDS:
            self._away += absence
        self._looked = now
        return happened
