"""Is the state right after the load the state right before the save?"""

import collections

from regress.oracle import (
    evidence,
    origin,
    piece_comparison,
    piece_order,
    rules,
    tally,
    tied_embedding,
    wording,
)
from regress.run import run_pb2

_Digest = run_pb2.StateDigest


def check(facts: evidence.Evidence) -> list[tally.Outcome]:
    """Compares what attempt 1 loaded with what attempt 0 saved, by rank.

    The first finding is of the piece that is nearest the cause.
    """
    result = tally.Tally(rules.STATE_RESTORED, piece_order.order)
    kinds: dict[int, collections.Counter[str]] = {}
    expected = dict.fromkeys(facts.ranks, facts.resume_iteration)
    origins, of_rank = origin.note(facts, expected)
    for rank in facts.ranks:
        saved = facts.interrupted.timelines.get(rank, evidence.NO_TIMELINE)
        loaded = facts.resumed.timelines.get(rank, evidence.NO_TIMELINE)
        kinds[rank] = collections.Counter()
        iterations = {facts.resume_iteration} | {
            state.iteration
            for state in loaded.states
            if state.moment == _Digest.LOADED
        }
        for iteration in sorted(iterations):
            kinds[rank] += piece_comparison.compare(
                result,
                saved.digests(_Digest.SAVED, iteration),
                loaded.digests(_Digest.LOADED, iteration),
                attempt=1,
                rank=rank,
                iteration=iteration,
                explanation=of_rank.get(rank, ""),
            )
    clauses = [*_sums(kinds), *origins]
    if parted := tied_embedding.parted(facts, facts.resume_iteration):
        clauses.append(
            f"the tied embedding of rank 0 is not that of rank "
            f"{facts.last_rank} ({', '.join(parted)})"
        )
    result.note = "; ".join(clauses)
    return [result.outcome()]


def _sums(kinds: dict[int, collections.Counter[str]]) -> list[str]:
    """As "main param (12) on ranks 0, 3", the cause first."""
    totals = sum(kinds.values(), collections.Counter())
    return [
        f"{kind} ({totals[kind]}) on "
        + wording.ranks(rank for rank, counts in kinds.items() if counts[kind])
        for kind in sorted(totals, key=piece_order.place)
    ]
