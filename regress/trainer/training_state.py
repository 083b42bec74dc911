"""All that a resumed run must have again."""

import dataclasses

from megatron.core.distributed import DistributedDataParallel
from megatron.core.models.gpt import GPTModel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

from regress.trainer import model


@dataclasses.dataclass
class TrainingState:
    """A rank's state, apart from the random streams, which are global.

    Attributes:
      chunks: the rank's model chunks, in the order of their virtual stages.
      optimizer: over all chunks; holds main params, moments and param groups.
      scheduler: sets the param groups' rates.
      iteration: the last iteration completed.
      consumed_samples: samples trained on since the first iteration.
    """

    chunks: list[DistributedDataParallel]
    optimizer: MegatronOptimizer
    scheduler: OptimizerParamScheduler
    iteration: int = 0
    consumed_samples: int = 0

    def models(self) -> list[GPTModel]:
        """The chunks without their wrappers."""
        return [model.unwrap(chunk) for chunk in self.chunks]
