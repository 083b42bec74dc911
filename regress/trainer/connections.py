"""Connections between ranks, made before the first step needs them.

NCCL connects ranks when they first talk to each other, which takes a good part
of a second each time, and in a pipeline one pair waits for the other. A rank
that gets ready while another attempt trains has that behind it.
"""

import torch
from megatron.core import parallel_state


def establish(device: torch.device) -> None:
    """Talks once to everybody that a training step talks to.

    Every rank must call it, after megatron-core has made its process groups.

    Args:
      device: the rank's.
    """
    token = torch.zeros(1, device=device)
    _greet_neighbours(token)
    for group in (
        torch.distributed.group.WORLD,
        parallel_state.get_model_parallel_group(),
        parallel_state.get_data_parallel_group(with_context_parallel=True),
        # None on the stages in between.
        parallel_state.get_embedding_group(check_initialized=False),
    ):
        if group is not None:
            torch.distributed.all_reduce(token, group=group)
    # Until everybody has answered.
    token.item()


def _greet_neighbours(token: torch.Tensor) -> None:
    """Sends to the next stage and receives from the one before."""
    group = parallel_state.get_pipeline_model_parallel_group()
    stages = group.size()
    if stages == 1:
        return
    stage = group.rank()
    # Two ranks connect when both are there: neighbours begin with each other.
    greetings = [
        lambda: torch.distributed.send(
            token, group=group, group_dst=(stage + 1) % stages
        ),
        lambda: torch.distributed.recv(
            token, group=group, group_src=(stage - 1) % stages
        ),
    ]
    if stage % 2:
        greetings.reverse()
    for greet in greetings:
        greet()
