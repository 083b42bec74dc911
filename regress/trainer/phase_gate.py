"""Where a rank waits for its interruption, and how it is asked to stop."""

import dataclasses
import signal
from typing import cast

from regress.case import case_pb2
from regress.run import control as control_lib


@dataclasses.dataclass(frozen=True)
class WaitAt:
    """A place in the training: an iteration and a phase of its step."""

    iteration: int
    phase: "case_pb2.Phase"

    @classmethod
    def parse(cls, text: str) -> "WaitAt":
        """Parses "30:BACKWARD".

        Raises:
            ValueError: The text is not of that form.
        """
        iteration, _, phase = text.partition(":")
        value = cast("case_pb2.Phase", case_pb2.Phase.Value(phase))
        return cls(int(iteration), value)


@dataclasses.dataclass(frozen=True)
class PhaseGate:
    """Stops the rank at one place, if at any, until it is told to continue.

    Attributes:
        control: The way to who started the rank.
        wait_at: The place, or None to stop nowhere.
    """

    control: control_lib.Control
    wait_at: WaitAt | None

    def stops_at(self, iteration: int, phase: "case_pb2.Phase") -> bool:
        """Whether this is the place."""
        return self.wait_at == WaitAt(iteration, phase)

    def reach(self, iteration: int, phase: "case_pb2.Phase") -> None:
        """Waits, if this is the place."""
        if self.stops_at(iteration, phase):
            self.control.wait_here(iteration, phase)


class StopRequest:
    """Takes note of a SIGTERM instead of dying by it, as a scheduler asks.

    Attributes:
        came: Whether one has come.
    """

    def __init__(self) -> None:
        """From now on. To be called in the main thread."""
        self.came = False
        signal.signal(signal.SIGTERM, self._take_note)

    def _take_note(self, number: int, frame: object) -> None:
        del number, frame
        self.came = True
