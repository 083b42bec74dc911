"""Quantities derived from a case, which must be valid."""

from regress.case import case_pb2


def chunks_per_rank(case: case_pb2.Case) -> int:
    """Returns the number of model chunks on each rank."""
    parallelism = case.parallelism
    return case.model.layers // (
        parallelism.pipeline * parallelism.layers_per_virtual_stage
    )


def microbatches(case: case_pb2.Case) -> int:
    """Returns the number of microbatches per iteration."""
    training = case.training
    return training.global_batch_size // training.micro_batch_size


def resume_iterations(case: case_pb2.Case) -> list[int]:
    """Returns the iteration of the checkpoint that each attempt loads.

    That is the newest checkpoint that is complete when the previous attempt is
    interrupted; 0 if there is none, as for attempt 0. A checkpoint is written
    at the end of its iteration, so it is complete in `BETWEEN_STEPS` but in no
    other phase, including `CHECKPOINT_WRITE`. A graceful stop writes a
    checkpoint of its own. An attempt that saves nothing leaves what it loaded.
    """
    loaded = [0]
    for interruption in case.interruption:
        loaded.append(max(loaded[-1], _newest_save(case, interruption)))
    return loaded


def _newest_save(
    case: case_pb2.Case, interruption: case_pb2.Interruption
) -> int:
    if interruption.graceful:
        return interruption.iteration
    is_saved = interruption.phase == case_pb2.BETWEEN_STEPS
    completed = interruption.iteration - (0 if is_saved else 1)
    if is_saved_after(case, completed):
        return completed
    return completed - completed % case.training.save_interval


def is_saved_after(case: case_pb2.Case, iteration: int) -> bool:
    """Whether a checkpoint is written at the end of an iteration.

    It is every `save_interval` iterations, and after the last one. A graceful
    stop writes its own besides.
    """
    training = case.training
    return (
        iteration % training.save_interval == 0
        or iteration == training.iterations
    )


def save_iterations(case: case_pb2.Case, after: int, last: int) -> list[int]:
    """The iterations in (after, last] that end with a checkpoint, ascending.

    A graceful stop's own, if it is at another, is not among them.
    """
    interval = case.training.save_interval
    saves = list(range(after - after % interval + interval, last + 1, interval))
    end = case.training.iterations
    if after < end <= last and end % interval:
        saves.append(end)
    return saves
