"""Where a run was interrupted and resumed, to mark it in charts."""

import dataclasses

from regress.case import case_pb2
from regress.run import run_pb2


@dataclasses.dataclass(frozen=True)
class InterruptionSpan:
    """Where a run was interrupted, and from where it resumed.

    Attributes:
        interrupted_in: The iteration of the interruption; None if there was
            none.
        signal: The signal, as "SIGKILL"; "" if there was no interruption.
        resumed_from: The iteration of the checkpoint that was loaded; None if
            none was.
    """

    interrupted_in: int | None
    signal: str
    resumed_from: int | None


def from_run(run: run_pb2.RunRecord) -> InterruptionSpan:
    """Returns the interruption of a run, which may be incomplete."""
    interrupted, signal = None, ""
    for attempt in run.attempts[:1]:
        if attempt.HasField("interruption"):
            interrupted = attempt.interruption.iteration
            signal = case_pb2.Signal.Name(attempt.interruption.signal)
    loaded = [
        event.checkpoint.iteration
        for attempt in run.attempts[1:2]
        for rank in attempt.ranks
        for event in rank.events
        if event.checkpoint.kind == run_pb2.CheckpointEvent.LOADED
    ]
    return InterruptionSpan(interrupted, signal, min(loaded, default=None))
