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


def resume_iteration(case: case_pb2.Case) -> int:
    """Returns the iteration of the newest complete checkpoint.

    That is the newest checkpoint that is complete when the interruption occurs;
    0 if there is none. A checkpoint is written at the end of its iteration, so
    it is complete in `BETWEEN_STEPS` but in no other phase, including
    `CHECKPOINT_WRITE`. A graceful stop writes a checkpoint of its own.
    """
    interruption = case.interruption
    if interruption.graceful:
        return interruption.iteration
    is_saved = interruption.phase == case_pb2.BETWEEN_STEPS
    completed = interruption.iteration - (0 if is_saved else 1)
    return completed - completed % case.training.save_interval
