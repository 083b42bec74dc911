"""Says which iterations each rank of each attempt must run and save."""

from regress.case import case_pb2
from regress.oracle import observations
from regress.run import run_pb2

# If the last rank waits for the interruption in one of these phases, it has
# recorded the iteration's step. Its peers are past the step's last collective,
# and may be caught just before or just after they record the step. In any other
# phase, no rank has recorded it.
_PHASES_AFTER_THE_STEP = (case_pb2.CHECKPOINT_WRITE, case_pb2.BETWEEN_STEPS)


def interrupted(facts: observations.Observations) -> dict[int, range]:
    """Returns the iterations of attempt 0, by rank.

    If a rank may rightly end before or after the interrupted iteration's step,
    the recorded end is taken.
    """
    interruption = facts.case.interruption
    before = range(1, interruption.iteration)
    if interruption.graceful:
        return dict.fromkeys(facts.ranks, range(1, interruption.iteration + 1))
    if interruption.phase not in _PHASES_AFTER_THE_STEP:
        return dict.fromkeys(facts.ranks, before)
    through = range(1, interruption.iteration + 1)
    timelines = facts.interrupted.timelines
    return {
        rank: through
        if rank == facts.last_rank
        or (rank in timelines and through[-1] in timelines[rank].iterations)
        else before
        for rank in facts.ranks
    }


def resumed(facts: observations.Observations) -> dict[int, range]:
    """Returns the iterations of attempt 1, by rank."""
    iterations = range(
        facts.resume_iteration + 1, facts.case.training.iterations + 1
    )
    return dict.fromkeys(facts.ranks, iterations)


def repeated(facts: observations.Observations) -> dict[int, range]:
    """Returns the iterations that run in both attempts, by rank."""
    return {
        rank: range(facts.resume_iteration + 1, steps.stop)
        for rank, steps in interrupted(facts).items()
    }


def interrupted_saves(facts: observations.Observations) -> dict[int, list[int]]:
    """Returns the iterations that attempt 0 saves or starts to save, by rank.

    A rank other than the one that waits may or may not have reached the save
    that the interruption hits. That save is expected only if it was recorded.
    """
    saves = {}
    timelines = facts.interrupted.timelines
    for rank, iterations in interrupted(facts).items():
        timeline = timelines.get(rank, observations.NO_TIMELINE)
        saves[rank] = [
            iteration
            for iteration in facts.save_iterations(0, len(iterations))
            if iteration < facts.case.interruption.iteration
            or rank == facts.last_rank
            or timeline.digests(run_pb2.StateDigest.SAVED, iteration)
        ]
    return saves


def interrupted_checkpoints(
    facts: observations.Observations,
) -> dict[int, list[int]]:
    """Returns the iterations whose checkpoints attempt 0 completes, by rank.

    In BETWEEN_STEPS the waiting rank has recorded the interrupted iteration's
    checkpoint. Its peers have written it, but may be caught just before they
    record it.
    """
    asked = facts.case.interruption
    if asked.graceful:
        saves = {*facts.save_iterations(0, asked.iteration), asked.iteration}
        return {rank: sorted(saves) for rank in facts.ranks}
    checkpoints = {}
    for rank in facts.ranks:
        timeline = facts.interrupted.timelines.get(
            rank, observations.NO_TIMELINE
        )
        recorded = timeline.checkpoint_iterations(run_pb2.CheckpointEvent.SAVED)
        checkpoints[rank] = [
            iteration
            for iteration in facts.save_iterations(0, asked.iteration)
            if iteration < asked.iteration
            or (
                asked.phase == case_pb2.BETWEEN_STEPS
                and (rank == facts.last_rank or iteration in recorded)
            )
        ]
    return checkpoints


def resumed_saves(facts: observations.Observations) -> dict[int, list[int]]:
    """Returns the iterations that attempt 1 saves, by rank."""
    saves = facts.save_iterations(
        facts.resume_iteration, facts.case.training.iterations
    )
    return {rank: list(saves) for rank in facts.ranks}


def repeated_saves(facts: observations.Observations) -> dict[int, list[int]]:
    """Returns the iterations that both attempts save, by rank."""
    return {
        rank: [save for save in saves if save > facts.resume_iteration]
        for rank, saves in interrupted_saves(facts).items()
    }
