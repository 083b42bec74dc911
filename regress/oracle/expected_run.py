"""Which iterations each rank of each attempt must have run, and saved."""

from collections.abc import Iterator

from regress.case import case_pb2
from regress.oracle import observations
from regress.run import run_pb2

# The rank that waits in one of these phases has recorded the iteration's step.
# The others have left its last collective, and may be caught just before or
# just after they record it. In any other phase, no rank has.
_PHASES_AFTER_THE_STEP = (case_pb2.CHECKPOINT_WRITE, case_pb2.BETWEEN_STEPS)


def steps(facts: observations.Observations, index: int) -> dict[int, range]:
    """The iterations of an attempt, by rank.

    Where two ends are right, it is the one that was recorded.
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


def saves(
    facts: observations.Observations, index: int
) -> dict[int, list[int]]:
    """The iterations that an attempt saved, or had begun to, by rank.

    Whether a rank that does not wait has come to the save that the interruption
    hits, nobody can say: it counts where it was recorded.
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
    """The iterations whose checkpoint an attempt completed, by rank.

    In BETWEEN_STEPS the rank that waits has recorded the iteration's own; the
    others have written it, and may be caught just before they record it.
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
    """The iterations whose checkpoint is on the disk in the end, ascending."""
    return sorted(
        {
            *facts.save_iterations(0, facts.case.training.iterations),
            *(one.iteration for one in facts.case.interruption if one.graceful),
        }
    )


def replayed(
    facts: observations.Observations, index: int
) -> Iterator[tuple[int, dict[int, range]]]:
    """The iterations of an attempt that others had run before, by rank.

    Yields:
        An attempt before, and what the two have in common. Of several attempts
        that ran an iteration, the last has it.
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
    """The iterations that an attempt saved and others had before, by rank.

    Yields:
        An attempt before, and what the two have in common. Of several attempts
        that made a save, the last has it.
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
