"""Is the state right after the load the state right before the save?"""

import collections

from regress.oracle import (
    check,
    observations,
    restore_diagnosis,
    rules,
    state_comparison,
)
from regress.run import run_pb2

_Digest = run_pb2.StateDigest


def check_all(facts: observations.Observations) -> list[check.Outcome]:
    """Compares what attempt 1 loaded with what attempt 0 saved, by rank.

    The first finding is of the entry that is nearest the cause.
    """
    result = check.Check(rules.STATE_RESTORED, state_comparison.by_cause)
    kinds: dict[int, collections.Counter[str]] = {}
    expected = dict.fromkeys(facts.ranks, facts.resume_iteration)
    origins, of_rank = restore_diagnosis.note(facts, expected)
    for rank in facts.ranks:
        saved = facts.interrupted.timelines.get(rank, observations.NO_TIMELINE)
        loaded = facts.resumed.timelines.get(rank, observations.NO_TIMELINE)
        kinds[rank] = collections.Counter()
        iterations = {facts.resume_iteration} | {
            state.iteration
            for state in loaded.states
            if state.moment == _Digest.LOADED
        }
        for iteration in sorted(iterations):
            kinds[rank] += state_comparison.compare(
                result,
                saved.digests(_Digest.SAVED, iteration),
                loaded.digests(_Digest.LOADED, iteration),
                attempt=1,
                rank=rank,
                iteration=iteration,
                explanation=of_rank.get(rank, ""),
            )
    clauses = [*_sums(kinds), *origins]
    if parted := restore_diagnosis.parted_replicas(
        facts, facts.resume_iteration
    ):
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
        + check.ranks(rank for rank, counts in kinds.items() if counts[kind])
        for kind in sorted(totals, key=state_comparison.kind_position)
    ]
