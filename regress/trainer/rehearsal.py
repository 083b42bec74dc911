"""A pass through the pipeline before the first step, which leaves no trace.

A process's first forward and backward pass loads kernels and finds memory: on
a GPU it takes 3 s, and the next one 0.3 s. A rank that gets ready while another
attempt trains has that behind it when its turn comes.
"""

import itertools

import torch

from regress.case import case_pb2
from regress.trainer import (
    data,
    phase_gate,
    random_state,
    step,
    training_state,
)


def rehearse(
    case: case_pb2.Case,
    state: training_state.TrainingState,
    device: torch.device,
    gate: phase_gate.PhaseGate,
) -> None:
    """Runs one iteration's passes on zeros, without an update.

    Every rank of the pipeline must call it at the same time.

    Args:
        case: What is trained.
        state: As it was built. It keeps gradients, which the first step
            forgets; the random streams, which dropout drew from, are put back.
        device: The rank's.
        gate: One that stops nowhere.
    """
    streams = random_state.get_states()
    shape = (case.training.micro_batch_size, case.model.sequence_length)
    zeros = torch.zeros(shape, dtype=torch.int64, device=device)
    blank = data.Microbatch(
        {
            "tokens": zeros,
            "labels": zeros,
            "loss_mask": torch.ones(shape, device=device),
        },
        digest=b"",
    )
    stepper = step.Stepper(
        case,
        state,
        [itertools.repeat(blank) for _ in state.chunks],
        device,
        gate,
    )
    stepper.accumulate_gradients()
    random_state.set_states(streams)
