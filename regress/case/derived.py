"""What follows from a case. All functions expect a valid one."""

from regress.case import case_pb2


def chunks_per_rank(case: case_pb2.Case) -> int:
    """Model chunks that a rank holds."""
    parallelism = case.parallelism
    return case.model.layers // (
        parallelism.pipeline * parallelism.layers_per_virtual_stage
    )


def microbatches(case: case_pb2.Case) -> int:
    """Microbatches in an iteration."""
    training = case.training
    return training.global_batch_size // training.micro_batch_size


def resume_iteration(case: case_pb2.Case) -> int:
    """The iteration of the newest checkpoint that outlives the interruption.

    It is 0 if there is none. A checkpoint is written at the end of its
    iteration: in `BETWEEN_STEPS` it is complete, in every other phase, also in
    `CHECKPOINT_WRITE`, it is not. A graceful stop writes its own.
    """
    interruption = case.interruption
    if interruption.graceful:
        return interruption.iteration
    is_saved = interruption.phase == case_pb2.BETWEEN_STEPS
    completed = interruption.iteration - (0 if is_saved else 1)
    return completed - completed % case.training.save_interval
