"""Everything a resume must restore: a rank's state and its random streams."""

import dataclasses
import random
from collections.abc import Iterator
from typing import Any

import numpy
import torch
from megatron.core import parallel_state, tensor_parallel
from megatron.core.distributed import DistributedDataParallel
from megatron.core.models.gpt import GPTModel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

from regress.case import case_pb2
from regress.trainer import backend as backend_lib
from regress.trainer import hooks, model
from regress.trainer import optimizer as optimizer_lib

# Megatron-LM's checkpoint keys.
_PYTHON = "random_rng_state"
_NUMPY = "np_rng_state"
_TORCH = "torch_rng_state"
_CUDA = "cuda_rng_state"
_TRACKER = "rng_tracker_states"


@dataclasses.dataclass
class TrainingState:
    """A rank's state, except for the random streams, which are global.

    Attributes:
        chunks: The rank's model chunks, in virtual-stage order.
        optimizer: Covers all chunks; holds the main params, the moments and
            the param groups.
        scheduler: Sets the param groups' learning rate and weight decay.
        group_names: Names of the optimizer's param groups, in the same order.
            A load may replace a group's fields with those of another group;
            the group keeps its params, and therefore its name.
        iteration: The last iteration completed.
        consumed_samples: Samples trained on since the first iteration.
    """

    chunks: list[DistributedDataParallel]
    optimizer: MegatronOptimizer
    scheduler: OptimizerParamScheduler
    group_names: tuple[str, ...]
    iteration: int = 0
    consumed_samples: int = 0

    def models(self) -> list[GPTModel]:
        """Returns the chunks without their wrappers."""
        return [model.unwrap(chunk) for chunk in self.chunks]

    def param_groups(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields each param group with its name."""
        return zip(self.group_names, self.optimizer.param_groups, strict=True)


@hooks.BUILD_STATE
def build(
    case: case_pb2.Case, backend: backend_lib.Backend, device: torch.device
) -> TrainingState:
    """Seeds the random streams and builds the rank's state before iteration 1.

    megatron-core's parallel state must be initialized.
    """
    seed_streams(case.training.seed, model.captures_layers(case, backend))
    config = model.transformer_config(case, backend)
    chunks = model.build_chunks(case, config, device)
    optimizer = optimizer_lib.build_optimizer(case, chunks)
    config.grad_scale_func = optimizer.scale_loss
    scheduler = optimizer_lib.build_scheduler(case, optimizer)
    return TrainingState(
        chunks, optimizer, scheduler, optimizer_lib.group_names(optimizer)
    )


def seed_streams(seed: int, for_graphs: bool = False) -> None:
    """Seeds every random stream of this rank with a per-stage seed.

    Args:
        seed: The case's seed.
        for_graphs: Whether CUDA graphs draw from the streams. The numbers that
            are drawn do not depend on it.
    """
    # Megatron-LM's spacing between stages.
    seed += 100 * parallel_state.get_pipeline_model_parallel_rank()
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    tensor_parallel.model_parallel_cuda_manual_seed(
        seed, te_rng_tracker=for_graphs
    )


def get_streams() -> dict[str, Any]:
    """Returns the state of every stream, under Megatron-LM's names."""
    return {
        _PYTHON: random.getstate(),
        _NUMPY: numpy.random.get_state(),
        _TORCH: torch.get_rng_state(),
        _CUDA: torch.cuda.get_rng_state(),
        _TRACKER: {
            name: state.get_state()
            if isinstance(state, torch.Generator)
            else state
            for name, state in _tracked().items()
        },
    }


def named_streams() -> Iterator[tuple[str, Any]]:
    """Yields each stream's name and state; the tracker's streams one by one."""
    for stream, value in get_streams().items():
        if isinstance(value, dict):
            for name, substream in value.items():
                yield f"{stream}/{name}", substream
        else:
            yield stream, value


@hooks.RESTORE_STREAMS
def set_streams(states: dict[str, Any]) -> None:
    """Restores the stream states that `get_streams` returned."""
    random.setstate(states[_PYTHON])
    numpy.random.set_state(states[_NUMPY])
    torch.set_rng_state(states[_TORCH])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state(states[_CUDA])
    generators = {
        name: generator
        for name, generator in _tracked().items()
        if isinstance(generator, torch.Generator)
    }
    if generators:
        # Graphs draw from these very generators.
        for name, state in states[_TRACKER].items():
            generators[name].set_state(state)
    else:
        tensor_parallel.get_cuda_rng_tracker().set_states(states[_TRACKER])


def _tracked() -> dict[str, torch.Tensor | torch.Generator]:
    """The tracker's streams, by name: generators if CUDA graphs use them."""
    found: dict[str, torch.Tensor | torch.Generator] = (
        tensor_parallel.get_cuda_rng_tracker().get_states()
    )
    return found
