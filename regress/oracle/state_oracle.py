"""Compares the state right after a load with that right before the save."""

from typing import NamedTuple

from regress.oracle import (
    check,
    lost_state,
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
    """Compares what each later attempt loaded with what was saved, by rank.

    The first finding is about the entry closest to the cause. The returned
    state is that of the first load that went wrong or, if none did, that of the
    first load.
    """
    result = check.Check(rules.STATE_RESTORED, state_comparison.by_cause)
    states = [
        compare_load(facts, result, facts.load(index))
        for index in facts.resumes
    ]
    wrong = (
        state for state in states if any(kind.differing for kind in state.kinds)
    )
    return Restored(result.outcome(), next(wrong, states[0]))


def compare_load(
    facts: observations.Observations,
    result: check.Check,
    load: observations.Load,
) -> verdict_pb2.RestoredState:
    """Compares what each rank loaded with what had been saved.

    Args:
        facts: The indexed case, run record and golden.
        result: Where it is counted and found.
        load: What was loaded, and who had saved that.
    """
    state = verdict_pb2.RestoredState(
        iteration=load.iteration,
        last_rank=facts.last_rank,
        parted_replicas=restore_diagnosis.parted_replicas(facts, load),
    )
    kinds: list[verdict_pb2.RestoredKind] = []
    for rank in facts.ranks:
        origin = restore_diagnosis.origin(load, facts.ranks, rank)
        if origin is not None:
            state.origins.add(rank=rank, origin=origin)
        counts = _compare(result, load, rank, origin)
        kinds += [
            verdict_pb2.RestoredKind(
                kind=kind,
                rank=rank,
                entries=compared,
                differing=counts.differing[kind],
            )
            for kind, compared in counts.compared.items()
        ]
    for one in kinds:
        lost_state.describe(load, one.rank, one)
    kinds.sort(key=lambda one: state_comparison.kind_position(one.kind))
    state.kinds.extend(kinds)
    return state


def _compare(
    result: check.Check,
    load: observations.Load,
    rank: int,
    origin: verdict_pb2.StateOrigin | None,
) -> state_comparison.Counts:
    """Compares every state that a rank loaded with the state that it saved.

    The iteration that the rank must load is always compared, loaded or not.
    """
    counts = state_comparison.Counts()
    timeline = load.loader.timelines.get(rank, observations.NO_TIMELINE)
    iterations = {load.iteration} | {
        state.iteration
        for state in timeline.states
        if state.moment == _Digest.LOADED
    }
    for iteration in sorted(iterations):
        counts.add(
            state_comparison.compare(
                result,
                load.saved(rank, iteration),
                load.loaded(rank, iteration),
                attempt=load.loader.index,
                rank=rank,
                iteration=iteration,
                origin=origin,
            )
        )
    return counts
