"""Is the state the same at a save, after a load, and where training goes on?

A resume begins with what was saved. It is the run that was never interrupted
only if that run, too, went on with what it saved, and if nothing changes the
loaded state before the first step.
"""

from collections.abc import Iterator
from typing import NamedTuple

from regress.oracle import (
    check,
    expected_run,
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


def check_restored(observed: observations.Observations) -> Restored:
    """Compares what each later attempt loaded with what was saved, by rank.

    The first finding is about the entry closest to the cause. The returned
    state is that of the first load that went wrong or, if none did, that of the
    first load.
    """
    result = check.Check(rules.STATE_RESTORED, state_comparison.by_cause)
    states = [
        compare_load(observed, result, observed.load(index))
        for index in observed.resumes
    ]
    wrong = (
        state for state in states if any(kind.differing for kind in state.kinds)
    )
    return Restored(result.outcome(), next(wrong, states[0]))


def check_kept(observed: observations.Observations) -> list[check.Outcome]:
    """Compares the states that steps began with, by rank, with checkpoints.

    Returns:
        One outcome for saves and one for loads; none for saves if by the case
        no step follows any of them.
    """
    outcomes = []
    for rule, moment, checkpoints in (
        (rules.SAVED_STATE_KEPT, _Digest.SAVED, list(_saves(observed))),
        (rules.LOADED_STATE_KEPT, _Digest.LOADED, list(_loads(observed))),
    ):
        if not checkpoints:
            continue
        result = check.Check(rule, state_comparison.by_cause)
        for attempt, rank, iteration in checkpoints:
            _compare_kept(result, attempt, rank, iteration, moment)
        outcomes.append(result.outcome())
    return outcomes


# An attempt, a rank, and the iteration of a checkpoint.
_Checkpoint = tuple[observations.Attempt, int, int]


def _saves(observed: observations.Observations) -> Iterator[_Checkpoint]:
    """Yields the saves of each attempt that a step of it must follow."""
    for index in range(observed.last + 1):
        for rank, iterations in expected_run.saves(observed, index).items():
            for iteration in iterations:
                if _goes_on(observed, index, iteration):
                    yield observed.attempt(index), rank, iteration


def _loads(observed: observations.Observations) -> Iterator[_Checkpoint]:
    """Yields the loads; by the case, a step follows each of them."""
    for index in observed.resumes:
        for rank in observed.ranks:
            yield observed.attempt(index), rank, observed.start(index)


def _goes_on(
    observed: observations.Observations, index: int, iteration: int
) -> bool:
    """Whether an attempt must begin the step after an iteration."""
    asked = observed.interruption(index)
    last = observed.case.training.iterations
    return iteration < (last if asked is None else asked.iteration)


def _compare_kept(
    result: check.Check,
    attempt: observations.Attempt,
    rank: int,
    iteration: int,
    moment: _Digest.Moment,
) -> None:
    """Compares a checkpoint's state with what the step after it began with.

    A rank that ended before that step has nothing to compare.
    """
    timeline = attempt.timelines.get(rank, observations.NO_TIMELINE)
    continued = timeline.digests(_Digest.CONTINUED, iteration)
    if continued or iteration + 1 in timeline.iterations:
        state_comparison.compare(
            result,
            timeline.digests(moment, iteration),
            continued,
            attempt=attempt.index,
            rank=rank,
            iteration=iteration,
        )


def compare_load(
    observed: observations.Observations,
    result: check.Check,
    load: observations.Load,
) -> verdict_pb2.RestoredState:
    """Compares what each rank loaded with what had been saved.

    Args:
        observed: The indexed case, run record and golden.
        result: Where it is counted and found.
        load: What was loaded, and who had saved that.
    """
    state = verdict_pb2.RestoredState(
        iteration=load.iteration,
        last_rank=observed.last_rank,
        parted_replicas=restore_diagnosis.parted_replicas(observed, load),
    )
    kinds: list[verdict_pb2.RestoredKind] = []
    for rank in observed.ranks:
        origin = restore_diagnosis.origin(load, observed.ranks, rank)
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
        if one.differing:
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
