"""Lets ranks share GPUs if there are fewer GPUs than ranks.

An MPS server lets them compute at the same time, and NCCL is told that they do
not share by mistake. The trainer need not know.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from regress.supervisor import gpus, mps


def describe(hardware: str, ranks: int) -> str:
    """Describes the devices that the ranks of a job will run on.

    Args:
        hardware: The declared hardware.
        ranks: The number of ranks.

    Returns:
        A phrase such as "4 ranks on 1 GPU, at the same time through MPS".
    """
    if hardware == "none":
        return f"{ranks} ranks on the CPU"
    count = gpus.count()
    text = f"{ranks} ranks on {count} GPU{'' if count == 1 else 's'}"
    if not 0 < count < ranks:
        return text
    if _needs_server(count, ranks):
        return f"{text}, at the same time through MPS"
    if mps.PIPES in os.environ:
        return f"{text}, through the MPS server of {mps.PIPES}"
    return f"{text}, time-sliced: {mps.PROGRAM} is not on the PATH"


@contextlib.contextmanager
def environments(
    hardware: str, ranks: int, logs: pathlib.Path
) -> Iterator[list[dict[str, str]]]:
    """Lets the ranks of one attempt share GPUs while the context lasts.

    Args:
        hardware: The declared hardware.
        ranks: The number of ranks.
        logs: An existing directory for the logs of an MPS server.

    Yields:
        The environment variables that each rank needs, by rank.

    Raises:
        SupervisorError: The MPS server does not start.
    """
    count = 0 if hardware == "none" else gpus.count()
    if not 0 < count < ranks:
        yield [{} for _ in range(ranks)]
        return
    with contextlib.ExitStack() as stack:
        clients = {}
        if _needs_server(count, ranks):
            # The server sees only the devices that are visible here and
            # renumbers them from 0, so the clients must not apply the
            # selection again.
            visible = ",".join(map(str, range(count)))
            clients = {
                **stack.enter_context(mps.server(logs)),
                gpus.VISIBLE: visible,
            }
        yield [{**clients, **_nccl_settings(rank)} for rank in range(ranks)]


def _nccl_settings(rank: int) -> dict[str, str]:
    """Returns NCCL's environment variables for ranks that share a device.

    NCCL rejects two ranks on one device unless each claims to be a separate
    host. The ranks then communicate over sockets, which are faster with large
    chunks.
    """
    return {
        "NCCL_HOSTID": f"rank{rank}",
        "NCCL_P2P_NET_CHUNKSIZE": str(4 << 20),
        "NCCL_BUFFSIZE": str(32 << 20),
    }


def _needs_server(count: int, ranks: int) -> bool:
    """Whether the ranks need an MPS server of their own to share GPUs."""
    return (
        0 < count < ranks
        # An existing server serves this job, too.
        and mps.PIPES not in os.environ
        and mps.is_available()
    )
