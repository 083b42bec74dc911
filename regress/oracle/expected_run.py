"""Says which iterations each rank of each attempt must run and save."""

from collections.abc import Iterator

from regress.case import case_pb2
from regress.oracle import observations
from regress.run import run_pb2

# If the last rank waits for the interruption in one of these phases, it has
# recorded the iteration's step. Its peers are past the step's last collective,
# and may be caught just before or just after they record the step. In any other
# phase, no rank has recorded it.
_PHASES_AFTER_THE_STEP = (case_pb2.CHECKPOINT_WRITE, case_pb2.BETWEEN_STEPS)


def steps(facts: observations.Observations, index: int) -> dict[int, range]:
    """Returns the iterations of an attempt, by rank.

    If a rank may rightly end before or after the interrupted iteration's step,
    the recorded end is taken.
    """
    first = facts.start(index) + 1
    interruption = facts.interruption(index)
    if interruption is None:
        through = range(first, facts.case.training.iterations + 1)
        return dict.fromkeys(facts.ranks, through)
    before = range(first, interruption.iteration)
    through = range(first, interruption.iteration + 1)
    if interruption.graceful:
        return dict.fromkeys(facts.ranks, through)
    if interruption.phase not in _PHASES_AFTER_THE_STEP:
        return dict.fromkeys(facts.ranks, before)
    timelines = facts.attempt(index).timelines
    return {
        rank: through
        if rank == facts.last_rank
        or (rank in timelines and through[-1] in timelines[rank].iterations)
        else before
        for rank in facts.ranks
    }


def saves(facts: observations.Observations, index: int) -> dict[int, list[int]]:
    """Returns the iterations that an attempt saves or starts to save, by rank.

    A rank other than the one that waits may or may not have reached the save
    that the interruption hits. That save is expected only if it was recorded.
    """
    interruption = facts.interruption(index)
    timelines = facts.attempt(index).timelines
    found = {}
    for rank, iterations in steps(facts, index).items():
        timeline = timelines.get(rank, observations.NO_TIMELINE)
        found[rank] = [
            iteration
            for iteration in facts.save_iterations(
                facts.start(index), iterations.stop - 1
            )
            if interruption is None
            or iteration < interruption.iteration
            or rank == facts.last_rank
            or timeline.digests(run_pb2.StateDigest.SAVED, iteration)
        ]
    return found


def checkpoints(
    facts: observations.Observations, index: int
) -> dict[int, list[int]]:
    """Returns the iterations whose checkpoints an attempt completes, by rank.

    In BETWEEN_STEPS the waiting rank has recorded the interrupted iteration's
    checkpoint. Its peers have written it, but may be caught just before they
    record it.
    """
    asked = facts.interruption(index)
    if asked is None:
        return saves(facts, index)
    due = facts.save_iterations(facts.start(index), asked.iteration)
    if asked.graceful:
        return {rank: sorted({*due, asked.iteration}) for rank in facts.ranks}
    found = {}
    for rank in facts.ranks:
        timeline = facts.attempt(index).timelines.get(
            rank, observations.NO_TIMELINE
        )
        recorded = timeline.checkpoint_iterations(run_pb2.CheckpointEvent.SAVED)
        found[rank] = [
            iteration
            for iteration in due
            if iteration < asked.iteration
            or (
                asked.phase == case_pb2.BETWEEN_STEPS
                and (rank == facts.last_rank or iteration in recorded)
            )
        ]
    return found


def stored(facts: observations.Observations) -> list[int]:
    """Returns the iterations whose checkpoints the run leaves, ascending."""
    return sorted(
        {
            *facts.save_iterations(0, facts.case.training.iterations),
            *(one.iteration for one in facts.case.interruption if one.graceful),
        }
    )


def replayed(
    facts: observations.Observations, index: int
) -> Iterator[tuple[int, dict[int, range]]]:
    """Yields the iterations of an attempt that earlier ones ran, by rank.

    Yields:
        An earlier attempt, and the iterations that both run. If several earlier
        attempts run an iteration, it goes to the last of them.
    """
    first = facts.start(index) + 1
    left = dict.fromkeys(facts.ranks, first)
    again = steps(facts, index)
    for earlier in reversed(range(index)):
        common = {}
        for rank, iterations in steps(facts, earlier).items():
            common[rank] = range(
                max(left[rank], iterations.start),
                min(iterations.stop, again[rank].stop),
            )
            left[rank] = max(left[rank], iterations.stop)
        if common[facts.last_rank]:
            yield earlier, common


def saved_again(
    facts: observations.Observations, index: int
) -> Iterator[tuple[int, dict[int, list[int]]]]:
    """Yields the saves of an attempt that earlier ones made, by rank.

    Yields:
        An earlier attempt, and the iterations that both save. If several
        earlier attempts save an iteration, it goes to the last of them.
    """
    left = saves(facts, index)
    for earlier in reversed(range(index)):
        done = saves(facts, earlier)
        common = {
            rank: [save for save in left[rank] if save in done[rank]]
            for rank in facts.ranks
        }
        left = {
            rank: [save for save in left[rank] if save not in done[rank]]
            for rank in facts.ranks
        }
        if common[facts.last_rank]:
            yield earlier, common
