"""Are the two replicas of a tied embedding still the same after the load?

The first stage looks tokens up in it and the last one makes logits with it.
Each saves and loads its own.
"""

from regress.oracle import evidence
from regress.run import run_pb2

_Digest = run_pb2.StateDigest

# The ends of the replicas' names, on the first and on the last stage.
_FIRST = "embedding.word_embeddings.weight"
_LAST = "output_layer.weight"


def parted(facts: evidence.Evidence, iteration: int) -> list[str]:
    """The kinds of pieces that were the same at the save and no longer are.

    Args:
        facts: What is judged.
        iteration: The iteration of the checkpoint that attempt 1 loaded.

    Returns:
        As ["param", "main param"]; nothing if the case's embeddings are not
        tied.
    """
    if not facts.case.model.tied_embeddings:
        return []
    saved = _same(facts.interrupted, facts, _Digest.SAVED, iteration)
    loaded = _same(facts.resumed, facts, _Digest.LOADED, iteration)
    return [
        kind
        for kind, were_same in saved.items()
        if were_same and not loaded.get(kind, True)
    ]


def _same(
    attempt: evidence.Attempt,
    facts: evidence.Evidence,
    moment: run_pb2.StateDigest.Moment,
    iteration: int,
) -> dict[str, bool]:
    """For each kind that both replicas have: whether they are the same."""
    first, last = (
        _replica(attempt, rank, end, moment, iteration)
        for rank, end in ((0, _FIRST), (facts.last_rank, _LAST))
    )
    return {kind: first[kind] == last[kind] for kind in first if kind in last}


def _replica(
    attempt: evidence.Attempt,
    rank: int,
    end: str,
    moment: run_pb2.StateDigest.Moment,
    iteration: int,
) -> dict[str, str]:
    """The digests of one replica's pieces, by kind."""
    timeline = attempt.timelines.get(rank, evidence.NO_TIMELINE)
    return {
        parts[1]: piece.digest
        for state in timeline.digests(moment, iteration)
        for piece in state.pieces
        # The chunk, the kind, and the rest.
        for parts in [piece.name.split("/")]
        if parts[2:] == [end]
    }
