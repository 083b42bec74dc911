"""Where a run was interrupted and resumed, to mark it in charts."""

import dataclasses
import itertools

from regress.case import case_pb2
from regress.run import run_pb2


@dataclasses.dataclass(frozen=True)
class InterruptionSpan:
    """Where an attempt was interrupted, and from where the next one resumed.

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


def from_run(run: run_pb2.RunRecord) -> list[InterruptionSpan]:
    """Returns the interruptions, in order, of a run that may be incomplete."""
    return [
        _span(attempt, following)
        for attempt, following in itertools.zip_longest(
            run.attempts[:-1] or run.attempts, run.attempts[1:]
        )
    ]


def _span(
    attempt: run_pb2.Attempt, following: run_pb2.Attempt | None
) -> InterruptionSpan:
    interrupted, signal = None, ""
    if attempt.HasField("interruption"):
        interrupted = attempt.interruption.iteration
        signal = case_pb2.Signal.Name(attempt.interruption.signal)
    loaded = [
        event.checkpoint.iteration
        for rank in (following.ranks if following else ())
        for event in rank.events
        if event.checkpoint.kind == run_pb2.CheckpointEvent.LOADED
    ]
    return InterruptionSpan(interrupted, signal, min(loaded, default=None))
