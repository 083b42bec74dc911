"""How far did a rank get in an attempt?"""

import dataclasses

from regress.oracle import evidence
from regress.run import run_pb2

_Checkpoint = run_pb2.CheckpointEvent


@dataclasses.dataclass(frozen=True)
class Whereabouts:
    """Where a rank was when its attempt ended.

    Attributes:
        during: What it was doing, as "in iteration 6", "while it loaded the
            checkpoint of iteration 4".
        after: What it had done, as "after iteration 5"; as `during` if it had
            not yet run an iteration.
        iteration: The first iteration that it did not complete.
        events: How many things it had recorded.
    """

    during: str
    after: str
    iteration: int
    events: int


def of(facts: evidence.Evidence, attempt: int, rank: int) -> Whereabouts:
    """Where a rank was when an attempt ended.

    Args:
        facts: What is judged.
        attempt: The attempt's index; it is in the record.
        rank: The rank.
    """
    timeline = facts.attempts[attempt].timelines.get(rank, evidence.NO_TIMELINE)
    start = facts.resume_iteration if attempt else 0
    events = sum(
        len(recorded)
        for recorded in (
            timeline.started,
            timeline.iterations,
            timeline.checkpoints,
            timeline.states,
            timeline.finished,
        )
    )
    if timeline.iterations:
        last = timeline.iterations[-1]
        during = _beyond(facts, timeline, last)
        return Whereabouts(during, f"after iteration {last}", last + 1, events)
    during = _before_the_first(timeline, start)
    return Whereabouts(during, during, start + 1, events)


def _before_the_first(timeline: evidence.Timeline, start: int) -> str:
    if not timeline.started:
        return "before it reported its start"
    if any(event.kind != _Checkpoint.SAVED for event in timeline.checkpoints):
        return f"before it completed iteration {start + 1}"
    if start:
        return f"while it loaded the checkpoint of iteration {start}"
    return "while it looked for a checkpoint"


def _beyond(
    facts: evidence.Evidence, timeline: evidence.Timeline, last: int
) -> str:
    """What comes after a step that was recorded."""
    saved = timeline.checkpoint_iterations(_Checkpoint.SAVED)
    if last % facts.case.training.save_interval == 0 and last not in saved:
        return f"while it saved the checkpoint of iteration {last}"
    if last >= facts.case.training.iterations:
        return f"after the last iteration, {last}"
    return f"in iteration {last + 1}"
