"""Stitches interrupted attempts and their resumptions into one run.

If the resume is correct, the result equals an uninterrupted run. That is not
taken on trust: a stitched run counts only alongside a run that really was
uninterrupted (see record.py).
"""

from regress.golden import errors
from regress.run import run_pb2


def stitch(run: run_pb2.RunRecord) -> run_pb2.RunRecord:
    """Merges the attempts of an interrupted and resumed run into one.

    Every attempt but the last contributes its events through the iteration that
    the next one loaded; every attempt but the first, only those after the
    iteration that it loaded itself.

    Raises:
        GoldenError: The run has fewer than two attempts, or a rank of an
            attempt after the first loaded no checkpoint.
    """
    if len(run.attempts) < 2:
        raise errors.GoldenError(
            f"the run has {len(run.attempts)} attempts, expected one that was "
            "interrupted and one that resumed"
        )
    whole = run_pb2.RunRecord(
        case=run.case,
        case_fingerprint=run.case_fingerprint,
        corpus_digest=run.corpus_digest,
        attempts=run.attempts[:1],
    )
    for after in run.attempts[1:]:
        whole.attempts[0].CopyFrom(_join(whole.attempts[0], after))
    return whole


def _join(before: run_pb2.Attempt, after: run_pb2.Attempt) -> run_pb2.Attempt:
    """Merges an interrupted attempt and the one that resumed it into one."""
    joined = run_pb2.Attempt(
        launcher=before.launcher, started_at=before.started_at
    )
    first_parts = {rank.rank: rank for rank in before.ranks}
    for rank in after.ranks:
        loaded = _loaded(after.index, rank)
        part = joined.ranks.add(rank=rank.rank, exit=rank.exit, torn=rank.torn)
        for event in first_parts.get(rank.rank, run_pb2.RankRecord()).events:
            if (_iteration(event) or 0) <= loaded:
                part.events.append(event)
        for event in rank.events:
            iteration = _iteration(event)
            if iteration is not None and iteration > loaded:
                part.events.append(event)
    return joined


def _loaded(attempt: int, rank: run_pb2.RankRecord) -> int:
    for event in rank.events:
        if event.checkpoint.kind == run_pb2.CheckpointEvent.LOADED:
            return event.checkpoint.iteration
    raise errors.GoldenError(
        f"rank {rank.rank} of attempt {attempt} loaded no checkpoint"
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
