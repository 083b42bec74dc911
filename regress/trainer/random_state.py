"""The random streams that training draws from, and their seeds."""

import random
from collections.abc import Iterator
from typing import Any

import numpy
import torch
from megatron.core import parallel_state, tensor_parallel

from regress.trainer import hooks

# Keys as in Megatron-LM's checkpoints.
_PYTHON = "random_rng_state"
_NUMPY = "np_rng_state"
_TORCH = "torch_rng_state"
_CUDA = "cuda_rng_state"
_TRACKER = "rng_tracker_states"


def seed_all(seed: int) -> None:
    """Seeds every stream of this rank, each stage with a seed of its own."""
    # Megatron-LM's spacing between stages.
    seed += 100 * parallel_state.get_pipeline_model_parallel_rank()
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    tensor_parallel.model_parallel_cuda_manual_seed(seed)


def get_states() -> dict[str, Any]:
    """Returns the state of every stream, under Megatron-LM's names."""
    return {
        _PYTHON: random.getstate(),
        _NUMPY: numpy.random.get_state(),
        _TORCH: torch.get_rng_state(),
        _CUDA: torch.cuda.get_rng_state(),
        _TRACKER: tensor_parallel.get_cuda_rng_tracker().get_states(),
    }


def named_streams() -> Iterator[tuple[str, Any]]:
    """Yields the state of each stream, those of the tracker one by one."""
    for stream, value in get_states().items():
        if isinstance(value, dict):
            for name, substream in value.items():
                yield f"{stream}/{name}", substream
        else:
            yield stream, value


@hooks.RESTORE_STREAMS
def set_states(states: dict[str, Any]) -> None:
    """Restores what `get_states` returned."""
    random.setstate(states[_PYTHON])
    numpy.random.set_state(states[_NUMPY])
    torch.set_rng_state(states[_TORCH])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state(states[_CUDA])
    tensor_parallel.get_cuda_rng_tracker().set_states(states[_TRACKER])
