"""All that a resumed run must have again."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from megatron.core.distributed import DistributedDataParallel
from megatron.core.models.gpt import GPTModel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

from regress.case import case_pb2
from regress.trainer import backend as backend_lib
from regress.trainer import hooks, model, param_groups, random_state
from regress.trainer import optimizer as optimizer_lib


@dataclasses.dataclass
class TrainingState:
    """A rank's state, apart from the random streams, which are global.

    Attributes:
      chunks: the rank's model chunks, in the order of their virtual stages.
      optimizer: over all chunks; holds main params, moments and param groups.
      scheduler: sets the param groups' rates.
      group_names: of the optimizer's param groups, in their order. A load may
        give a group another's fields; it keeps its params, and so its name.
      iteration: the last iteration completed.
      consumed_samples: samples trained on since the first iteration.
    """

    chunks: list[DistributedDataParallel]
    optimizer: MegatronOptimizer
    scheduler: OptimizerParamScheduler
    group_names: tuple[str, ...]
    iteration: int = 0
    consumed_samples: int = 0

    def models(self) -> list[GPTModel]:
        """The chunks without their wrappers."""
        return [model.unwrap(chunk) for chunk in self.chunks]

    def param_groups(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields each param group with its name."""
        return zip(self.group_names, self.optimizer.param_groups, strict=True)


@hooks.BUILD_STATE
def build(
    case: case_pb2.Case, backend: backend_lib.Backend, device: torch.device
) -> TrainingState:
    """Seeds the random streams and builds the rank's state before iteration 1.

    Needs megatron-core's parallel state.
    """
    random_state.seed_all(case.training.seed)
    config = model.transformer_config(case, backend)
    chunks = model.build_chunks(case, config, device)
    optimizer = optimizer_lib.build_optimizer(case, chunks)
    config.grad_scale_func = optimizer.scale_loss
    scheduler = optimizer_lib.build_scheduler(case, optimizer)
    return TrainingState(
        chunks, optimizer, scheduler, param_groups.names(optimizer)
    )
