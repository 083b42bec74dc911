"""Makes a rank wait for its interruption, and notes requests to stop."""

import dataclasses
import signal
from typing import cast

from regress.case import case_pb2
from regress.run import control as control_lib


@dataclasses.dataclass(frozen=True)
class WaitAt:
    """A point in the training: an iteration and a phase of its step."""

    iteration: int
    phase: "case_pb2.Phase"

    @classmethod
    def parse(cls, text: str) -> "WaitAt":
        """Parses "30:BACKWARD".

        Raises:
            ValueError: The text does not have that form.
        """
        iteration, _, phase = text.partition(":")
        value = cast("case_pb2.Phase", case_pb2.Phase.Value(phase))
        return cls(int(iteration), value)


@dataclasses.dataclass(frozen=True)
class PhaseGate:
    """Stops the rank at one point until the supervisor lets it continue.

    Attributes:
        control: The control channel to the supervisor.
        wait_at: The point to stop at, or None to stop nowhere.
    """

    control: control_lib.Control
    wait_at: WaitAt | None

    def stops_at(self, iteration: int, phase: "case_pb2.Phase") -> bool:
        """Whether `reach` would wait at this point."""
        return self.wait_at == WaitAt(iteration, phase)

    def reach(self, iteration: int, phase: "case_pb2.Phase") -> None:
        """Waits if this is the point to stop at; otherwise returns at once."""
        if self.stops_at(iteration, phase):
            self.control.wait_here(iteration, phase)


class StopRequest:
    """Notes a SIGTERM instead of dying; schedulers send one to stop a job.

    Attributes:
        came: Whether a SIGTERM has arrived.
    """

    def __init__(self) -> None:
        """Installs the signal handler. Call it in the main thread."""
        self.came = False
        signal.signal(signal.SIGTERM, self._take_note)

    def _take_note(self, number: int, frame: object) -> None:
        del number, frame
        self.came = True
