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


def steps(observed: observations.Observations, index: int) -> dict[int, range]:
    """Returns the iterations of an attempt, by rank.

    If a rank may rightly end before or after the interrupted iteration's step,
    the recorded end is taken.
    """
    first = observed.start(index) + 1
    interruption = observed.interruption(index)
    if interruption is None:
        through = range(first, observed.case.training.iterations + 1)
        return dict.fromkeys(observed.ranks, through)
    before = range(first, interruption.iteration)
    through = range(first, interruption.iteration + 1)
    if interruption.graceful:
        return dict.fromkeys(observed.ranks, through)
    if interruption.phase not in _PHASES_AFTER_THE_STEP:
        return dict.fromkeys(observed.ranks, before)
    timelines = observed.attempt(index).timelines
    return {
        rank: through
        if rank == observed.last_rank
        or (rank in timelines and through[-1] in timelines[rank].iterations)
        else before
        for rank in observed.ranks
    }


def saves(
    observed: observations.Observations, index: int
) -> dict[int, list[int]]:
    """Returns the iterations that an attempt saves or starts to save, by rank.

    A rank other than the one that waits may or may not have reached the save
    that the interruption hits. That save is expected only if it was recorded.
    """
    interruption = observed.interruption(index)
    timelines = observed.attempt(index).timelines
    found = {}
    for rank, iterations in steps(observed, index).items():
        timeline = timelines.get(rank, observations.NO_TIMELINE)
        found[rank] = [
            iteration
            for iteration in observed.save_iterations(
                observed.start(index), iterations.stop - 1
            )
            if interruption is None
            or iteration < interruption.iteration
            or rank == observed.last_rank
            or timeline.digests(run_pb2.StateDigest.SAVED, iteration)
        ]
    return found


def checkpoints(
    observed: observations.Observations, index: int
) -> dict[int, list[int]]:
    """Returns the iterations whose checkpoints an attempt completes, by rank.

    In BETWEEN_STEPS the waiting rank has recorded the interrupted iteration's
    checkpoint. Its peers have written it, but may be caught just before they
    record it.
    """
    asked = observed.interruption(index)
    if asked is None:
        return saves(observed, index)
    due = observed.save_iterations(observed.start(index), asked.iteration)
    if asked.graceful:
        return {
            rank: sorted({*due, asked.iteration}) for rank in observed.ranks
        }
    found = {}
    for rank in observed.ranks:
        timeline = observed.attempt(index).timelines.get(
            rank, observations.NO_TIMELINE
        )
        recorded = timeline.checkpoint_iterations(run_pb2.CheckpointEvent.SAVED)
        found[rank] = [
            iteration
            for iteration in due
            if iteration < asked.iteration
            or (
                asked.phase == case_pb2.BETWEEN_STEPS
                and (rank == observed.last_rank or iteration in recorded)
            )
        ]
    return found


def stored(observed: observations.Observations) -> list[int]:
    """Returns the iterations whose checkpoints the run leaves, ascending."""
    return sorted(
        {
            *observed.save_iterations(0, observed.case.training.iterations),
            *(
                one.iteration
                for one in observed.case.interruption
                if one.graceful
            ),
        }
    )


def replayed(
    observed: observations.Observations, index: int
) -> Iterator[tuple[int, dict[int, range]]]:
    """Yields the iterations of an attempt that earlier ones ran, by rank.

    Yields:
        An earlier attempt, and the iterations that both run. If several earlier
        attempts run an iteration, it goes to the last of them.
    """
    first = observed.start(index) + 1
    left = dict.fromkeys(observed.ranks, first)
    again = steps(observed, index)
    for earlier in reversed(range(index)):
        common = {}
        for rank, iterations in steps(observed, earlier).items():
            common[rank] = range(
                max(left[rank], iterations.start),
                min(iterations.stop, again[rank].stop),
            )
            left[rank] = max(left[rank], iterations.stop)
        if common[observed.last_rank]:
            yield earlier, common


def saved_again(
    observed: observations.Observations, index: int
) -> Iterator[tuple[int, dict[int, list[int]]]]:
    """Yields the saves of an attempt that earlier ones made, by rank.

    Yields:
        An earlier attempt, and the iterations that both save. If several
        earlier attempts save an iteration, it goes to the last of them.
    """
    left = saves(observed, index)
    for earlier in reversed(range(index)):
        done = saves(observed, earlier)
        common = {
            rank: [save for save in left[rank] if save in done[rank]]
            for rank in observed.ranks
        }
        left = {
            rank: [save for save in left[rank] if save not in done[rank]]
            for rank in observed.ranks
        }
        if common[observed.last_rank]:
            yield earlier, common
