"""Lets the ranks of a job find each other and connect.

The supervisor gives rank 0 a listening socket (REGRESS_STORE_FD) and every
rank its port (REGRESS_STORE_PORT), so jobs cannot race for a port. Without
these, torchrun's environment variables apply.

Ranks connect before the first step. NCCL connects two ranks when they first
communicate; that takes a good part of a second, and in a pipeline the pairs
wait for one another. A rank that gets ready while another attempt trains does
not pay for this when its own attempt begins.
"""

import datetime
import os

import torch
import torch.distributed
from megatron.core import parallel_state

from regress.trainer import hooks

# Longer than any bound of the supervisor's watchdog: the watchdog is what
# reports a hang.
_TIMEOUT = datetime.timedelta(minutes=30)


@hooks.CONNECT
def join(backend: str, rank: int, world_size: int) -> None:
    """Creates the default process group of all ranks.

    Args:
        backend: The name of the torch.distributed backend.
        rank: This process's rank.
        world_size: Number of ranks.
    """
    port = os.environ.get("REGRESS_STORE_PORT")
    if port is None:
        torch.distributed.init_process_group(backend, timeout=_TIMEOUT)
        return
    listener = os.environ.get("REGRESS_STORE_FD")
    store = torch.distributed.TCPStore(  # type: ignore[attr-defined]
        "127.0.0.1",
        int(port),
        world_size,
        is_master=rank == 0,
        timeout=_TIMEOUT,
        wait_for_workers=False,
        master_listen_fd=int(listener) if listener else None,
    )
    torch.distributed.init_process_group(
        backend, store=store, rank=rank, world_size=world_size, timeout=_TIMEOUT
    )


def establish(device: torch.device, *, trains: bool = True) -> None:
    """Communicates once with every peer.

    Every rank must call this, after megatron-core has created its process
    groups.

    Args:
        device: The rank's device.
        trains: Whether the ranks will train. If they only load a checkpoint,
            they need no connection but that of all ranks, and each one more
            takes NCCL a good part of a second to close.
    """
    token = torch.zeros(1, device=device)
    torch.distributed.all_reduce(token)
    if trains:
        _greet_neighbours(token)
        for group in (
            parallel_state.get_model_parallel_group(),
            parallel_state.get_data_parallel_group(with_context_parallel=True),
            # None on the stages in between.
            parallel_state.get_embedding_group(check_initialized=False),
        ):
            if group is not None:
                torch.distributed.all_reduce(token, group=group)
    # Waits for all of these to complete.
    token.item()


def _greet_neighbours(token: torch.Tensor) -> None:
    """Sends to the next stage and receives from the previous one."""
    group = parallel_state.get_pipeline_model_parallel_group()
    stages = group.size()
    if stages == 1:
        return
    stage = group.rank()
    # A connection needs both peers at once, so even stages send first and odd
    # stages receive first.
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
