"""The device that a rank trains on, and how its arithmetic is pinned."""

import abc
from collections.abc import Mapping
from typing import Any

from regress import errors
from regress.run import run_pb2


class BackendError(errors.UserError):
    """The machine is not what the backend needs. One sentence."""


class Backend(abc.ABC):
    """What differs between a CPU and a GPU, in one place."""

    # torch.distributed's.
    process_group: str
    # Names and values of environment variables to be set before torch loads.
    settings: Mapping[str, str]
    # Whether stages may go on computing while what they send is on its way.
    overlaps_communication: bool
    # Whether a first pass takes so much longer than the next that a rank runs
    # one while it gets ready.
    rehearses: bool
    # A member of megatron-core's AttnBackend, which cannot be imported before
    # `prepare` was called.
    attention_backend: str
    # Fields of megatron-core's TransformerConfig that the device asks for.
    transformer_config: Mapping[str, Any]

    @abc.abstractmethod
    def prepare(self) -> None:
        """Pins the arithmetic. Call it before megatron.core is imported.

        Touches no accelerator, so that a process forked afterwards may.
        """

    @abc.abstractmethod
    def start_rank(self, rank: int, ranks: int) -> Any:
        """Takes the device of one of the job's ranks.

        Returns:
            A `torch.device`.

        Raises:
            BackendError: The device is not there, or not the one declared.
        """

    @abc.abstractmethod
    def out_of_memory(self, error: Exception) -> str | None:
        """One sentence, if the error is that the device's memory is full."""

    @abc.abstractmethod
    def peak_memory(self) -> int:
        """The most bytes of the device's memory that this rank has held."""

    @abc.abstractmethod
    def environment(self) -> run_pb2.Environment:
        """What was found here: device, versions and settings."""
