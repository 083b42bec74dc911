"""Stitches an interrupted attempt and its resumption into one run.

If the resume is correct, the result equals an uninterrupted run. That is not
taken on trust: a stitched run counts only alongside a run that really was
uninterrupted (see record.py).
"""

from regress.golden import errors
from regress.run import run_pb2


def stitch(run: run_pb2.RunRecord) -> run_pb2.RunRecord:
    """Merges an interrupted attempt and the one that resumed it into one.

    The result has the events of attempt 0 through the iteration that attempt 1
    loaded, and the events of attempt 1 after it.

    Raises:
        GoldenError: The run does not have exactly two attempts, or a rank of
            attempt 1 loaded no checkpoint.
    """
    try:
        before, after = run.attempts
    except ValueError:
        raise errors.GoldenError(
            f"the run has {len(run.attempts)} attempts, expected one that was "
            "interrupted and one that resumed"
        ) from None
    whole = run_pb2.RunRecord(
        case=run.case,
        case_fingerprint=run.case_fingerprint,
        corpus_digest=run.corpus_digest,
    )
    attempt = whole.attempts.add(
        launcher=before.launcher, started_at=before.started_at
    )
    first_parts = {rank.rank: rank for rank in before.ranks}
    for rank in after.ranks:
        loaded = _loaded(rank)
        part = attempt.ranks.add(rank=rank.rank, exit=rank.exit, torn=rank.torn)
        for event in first_parts.get(rank.rank, run_pb2.RankRecord()).events:
            if (_iteration(event) or 0) <= loaded:
                part.events.append(event)
        for event in rank.events:
            iteration = _iteration(event)
            if iteration is not None and iteration > loaded:
                part.events.append(event)
    return whole


def _loaded(rank: run_pb2.RankRecord) -> int:
    for event in rank.events:
        if event.checkpoint.kind == run_pb2.CheckpointEvent.LOADED:
            return event.checkpoint.iteration
    raise errors.GoldenError(
        f"rank {rank.rank} of attempt 1 loaded no checkpoint"
    )


def _iteration(event: run_pb2.Event) -> int | None:
    """Returns the iteration of an event, or None if it has none."""
    match event.WhichOneof("kind"):
        case "step":
            return event.step.iteration
        case "state":
            return event.state.iteration
        case "checkpoint":
            return event.checkpoint.iteration
        case "finished":
            return event.finished.iteration
    return None
