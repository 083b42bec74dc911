"""What did each rank load when it started?"""

from regress.oracle import evidence, rules, tally, wording
from regress.run import run_pb2

_Kind = run_pb2.CheckpointEvent

_SAYS_NOTHING = "nothing"
_FOUND_NOTHING = "NONE_FOUND 0"


def check_interrupted(facts: evidence.Evidence) -> tally.Outcome:
    """Checks that attempt 0 started from nothing."""
    result = tally.Tally(rules.STARTED_FROM_NOTHING)
    for rank, timeline in facts.interrupted.timelines.items():
        sought = _sought(timeline)
        result.expect(
            "checkpoint loaded",
            # A trainer need not say that it found nothing.
            _FOUND_NOTHING if sought != _SAYS_NOTHING else _SAYS_NOTHING,
            sought,
            attempt=0,
            rank=rank,
            explanation="Attempt 0 must train from the beginning.",
        )
    return result.outcome()


def check_resumed(facts: evidence.Evidence) -> tally.Outcome:
    """Checks that attempt 1 loaded the newest checkpoint, once."""
    result = tally.Tally(rules.CHECKPOINT_LOADED)
    for rank, timeline in facts.resumed.timelines.items():
        result.expect(
            "checkpoint loaded",
            f"LOADED {facts.resume_iteration}",
            _sought(timeline),
            attempt=1,
            rank=rank,
            explanation="Attempt 1 must load the newest whole checkpoint.",
        )
    return result.outcome()


def _sought(timeline: evidence.Timeline) -> str:
    events = [
        f"{wording.name(_Kind.Kind, event.kind)} {event.iteration}"
        for event in timeline.checkpoints
        if event.kind != _Kind.SAVED
    ]
    return ", ".join(events) or _SAYS_NOTHING
