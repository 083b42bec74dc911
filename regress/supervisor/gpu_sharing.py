"""How ranks share GPUs where there are fewer GPUs than ranks."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from regress.supervisor import gpus, mps


def describe(hardware: str, ranks: int) -> str:
    """Says which devices the ranks of a job will be on.

    Args:
        hardware: The declared hardware.
        ranks: How many they are.

    Returns:
        As "4 ranks on 1 GPU, at the same time through MPS".
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
def environment(
    hardware: str, ranks: int, logs: pathlib.Path
) -> Iterator[dict[str, str]]:
    """Lets the ranks of one attempt share GPUs, while the context lasts.

    Args:
        hardware: The declared hardware.
        ranks: How many they are.
        logs: An existing directory for what is shared by.

    Yields:
        What the ranks must have in their environment.

    Raises:
        SupervisorError: The server does not start.
    """
    count = 0 if hardware == "none" else gpus.count()
    if not _needs_server(count, ranks):
        yield {}
        return
    with mps.server(logs) as found:
        # The server has only the devices that are visible here, and numbers
        # them anew: its clients must not choose among them again.
        visible = ",".join(map(str, range(count)))
        yield {**found, gpus.VISIBLE: visible}


def _needs_server(count: int, ranks: int) -> bool:
    """Whether ranks share these GPUs through a server of their own."""
    return (
        0 < count < ranks
        # Somebody's server serves this job, too.
        and mps.PIPES not in os.environ
        and mps.is_available()
    )
