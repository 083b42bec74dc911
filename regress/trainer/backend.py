"""The device that a rank trains on, and how its arithmetic is pinned."""

import abc
from collections.abc import Mapping
from typing import Any

from regress import errors
from regress.run import run_pb2


class BackendError(errors.UserError):
    """The machine does not meet the backend's requirements. One sentence.

    Attributes:
        hardware_found: The hardware that is here, such as `none` or
            `nvidia_h200`; "" if that is not what is wrong.
    """

    def __init__(self, message: str, hardware_found: str = "") -> None:
        """Takes the sentence, and the hardware if another one was expected."""
        super().__init__(message)
        self.hardware_found = hardware_found


def pin_algorithms() -> None:
    """Has torch refuse every operation that may give other bits each time."""
    import torch

    # torch.use_deterministic_algorithms does the same, but imports the
    # compiler to notify it.
    torch.set_deterministic_debug_mode("error")
    # Every value is written before it is read, and filling new tensors costs
    # time: on a GPU, thousands of kernel launches per step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


class Backend(abc.ABC):
    """Everything that differs between training on a CPU and on a GPU."""

    # Name of the torch.distributed backend.
    process_group: str
    # Environment variables to set before torch is imported.
    settings: Mapping[str, str]
    # What the libraries must report once the backend is prepared, by the names
    # of observed_settings.py.
    in_force: Mapping[str, str]
    # Whether stages may keep computing while their sends are in flight.
    overlaps_communication: bool
    # Whether a rank connects to the others, and builds its state, before it
    # waits for the attempt before its own to end: worthwhile if that is slow,
    # and if connections cost nothing while nobody uses them.
    connects_early: bool
    # Whether a rank warms up with a forward and backward pass before it
    # begins: worthwhile if the first pass is much slower than the next.
    rehearses: bool
    # Whether Transformer Engine's layers run as CUDA graphs: worthwhile if
    # launching a kernel takes longer than running it.
    captures_layers: bool
    # Name of a member of megatron-core's AttnBackend, which cannot be imported
    # before `prepare` has run.
    attention_backend: str
    # Fields of megatron-core's TransformerConfig that the device requires.
    transformer_config: Mapping[str, Any]

    @abc.abstractmethod
    def prepare(self) -> None:
        """Pins the arithmetic. Call it before torch is imported.

        It touches no accelerator, so that processes forked later can use one.
        """

    @abc.abstractmethod
    def start_rank(self, rank: int, ranks: int) -> Any:
        """Selects this rank's device.

        Args:
            rank: This rank.
            ranks: The number of ranks in the job.

        Returns:
            A `torch.device`.

        Raises:
            BackendError: The device is missing or is not the declared one.
        """

    @abc.abstractmethod
    def out_of_memory(self, error: Exception) -> str | None:
        """Explains an out-of-memory error; None for any other error."""

    @abc.abstractmethod
    def peak_memory(self) -> int:
        """Returns the peak device memory of this rank, in bytes."""

    @abc.abstractmethod
    def peak_allocated(self) -> int | None:
        """Returns the most device memory held at once; None without a device.

        Unlike `peak_memory`, without what the allocator keeps for later.
        """

    @abc.abstractmethod
    def environment(self) -> run_pb2.Environment:
        """Describes the device, the package versions and the settings."""

    def wanted_settings(self) -> dict[str, str]:
        """Returns the settings that the backend set up."""
        return {**self.settings, **self.in_force}

    def observe_settings(self) -> dict[str, str]:
        """Returns the values of the same settings that are in force."""
        # Needs torch, which must not be imported before `prepare` has run.
        from regress.trainer import observed_settings

        return observed_settings.observe(self.wanted_settings())
