"""How the ranks of a job find each other.

Under the supervisor, rank 0 is handed a listening socket (REGRESS_STORE_FD)
and every rank its port (REGRESS_STORE_PORT), so no two jobs can race for a
port. Without these the variables of torchrun serve.
"""

import datetime
import os

import torch.distributed

# Longer than any bound of the supervisor's watchdog, which is the one to say
# that a job hangs.
_TIMEOUT = datetime.timedelta(minutes=30)


def join(backend: str, rank: int, world_size: int) -> None:
    """Makes the default process group of all ranks.

    Args:
      backend: torch.distributed's name of it.
      rank: this process's rank.
      world_size: number of ranks.
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
