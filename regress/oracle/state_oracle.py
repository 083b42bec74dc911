"""Compares the state right after the load with that right before the save."""

from typing import NamedTuple

from regress.oracle import (
    check,
    observations,
    restore_diagnosis,
    rules,
    state_comparison,
    verdict_pb2,
)
from regress.run import run_pb2

_Digest = run_pb2.StateDigest


class Restored(NamedTuple):
    """How the loaded state compares with the saved one.

    Attributes:
        outcome: The outcome of the check that they are the same.
        state: How they compare by rank and kind of entry, and where wrong
            entries come from.
    """

    outcome: check.Outcome
    state: verdict_pb2.RestoredState


def check_restored(facts: observations.Observations) -> Restored:
    """Compares what attempt 1 loaded with what attempt 0 saved, by rank.

    The first finding is about the entry closest to the cause.
    """
    result = check.Check(rules.STATE_RESTORED, state_comparison.by_cause)
    state = verdict_pb2.RestoredState(
        iteration=facts.resume_iteration,
        last_rank=facts.last_rank,
        parted_replicas=restore_diagnosis.parted_replicas(
            facts, facts.resume_iteration
        ),
    )
    kinds: list[verdict_pb2.RestoredKind] = []
    for rank in facts.ranks:
        origin = restore_diagnosis.origin(facts, rank, facts.resume_iteration)
        if origin is not None:
            state.origins.add(rank=rank, origin=origin)
        counts = _compare(facts, result, rank, origin)
        kinds += [
            verdict_pb2.RestoredKind(
                kind=kind,
                rank=rank,
                entries=compared,
                differing=counts.differing[kind],
            )
            for kind, compared in counts.compared.items()
        ]
    kinds.sort(key=lambda one: state_comparison.kind_position(one.kind))
    state.kinds.extend(kinds)
    return Restored(result.outcome(), state)


def _compare(
    facts: observations.Observations,
    result: check.Check,
    rank: int,
    origin: verdict_pb2.StateOrigin | None,
) -> state_comparison.Counts:
    """Compares every state that a rank loaded with the state that it saved.

    The iteration that the rank must load is always compared, loaded or not.
    """
    saved = facts.interrupted.timelines.get(rank, observations.NO_TIMELINE)
    loaded = facts.resumed.timelines.get(rank, observations.NO_TIMELINE)
    counts = state_comparison.Counts()
    iterations = {facts.resume_iteration} | {
        state.iteration
        for state in loaded.states
        if state.moment == _Digest.LOADED
    }
    for iteration in sorted(iterations):
        counts.add(
            state_comparison.compare(
                result,
                saved.digests(_Digest.SAVED, iteration),
                loaded.digests(_Digest.LOADED, iteration),
                attempt=1,
                rank=rank,
                iteration=iteration,
                origin=origin,
            )
        )
    return counts
