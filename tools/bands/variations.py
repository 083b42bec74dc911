"""The variations: each run differs from the golden's recording in one thing.

Each is a choice that the next GPU, driver or library may make on its own:
another kernel, another order of summation, other bits in a random stream.
float32 is not among them. A small update leaves bfloat16 weights unchanged, so
training in float32 learns something else (measured: 1.1 % in the loss, 14 % in
the grad norm), and a GPU that is told to use bfloat16 does not choose float32.
"""

import dataclasses
import os
import re
from collections.abc import Callable
from typing import Any

from regress.case import case_pb2
from regress.testing import instrumentation


def _nothing() -> None:
    pass


def _same_case(case: case_pb2.Case) -> None:
    del case


@dataclasses.dataclass(frozen=True)
class Variation:
    """One thing that differs.

    Attributes:
        name: A unique name, which the golden records.
        case: Changes the case.
        before: Runs in each rank before torch is imported.
        after: Runs in each rank once the trainer is imported, before it runs.
    """

    name: str
    case: Callable[[case_pb2.Case], None] = _same_case
    before: Callable[[], None] = _nothing
    after: Callable[[], None] = _nothing

    @property
    def file_name(self) -> str:
        """The name of its run record's file."""
        return re.sub(r"\W+", "_", self.name) + ".binpb"


def _local_layers(case: case_pb2.Case) -> None:
    case.model.implementation = case_pb2.Model.LOCAL


def _settings(**settings: str) -> Callable[[], None]:
    """Has the CUDA backend set other environment variables."""

    def change() -> None:
        from regress.trainer import cuda_backend

        backend: Any = cuda_backend.CudaBackend
        backend.settings = {**backend.settings, **settings}
        os.environ.update(settings)

    return change


def _config(**fields: Any) -> Callable[[], None]:
    """Has the CUDA backend ask megatron-core for something else."""

    def change() -> None:
        from regress.trainer import cuda_backend

        backend: Any = cuda_backend.CudaBackend
        backend.transformer_config = {**backend.transformer_config, **fields}

    return change


def _not_deterministic() -> None:
    import torch

    from regress.trainer import cuda_backend

    torch.set_deterministic_debug_mode("default")
    backend: Any = cuda_backend.CudaBackend
    backend.in_force = {**backend.in_force, "deterministic algorithms": "off"}
    _config(deterministic_mode=False)()


def _fused_attention() -> None:
    from regress.trainer import cuda_backend

    cuda_backend.CudaBackend.attention_backend = "fused"


def _other_dropout() -> None:
    """Seeds dropout's streams anew, once the weights are what they were."""
    from megatron.core import tensor_parallel

    instrumentation.after_build(
        lambda state: tensor_parallel.model_parallel_cuda_manual_seed(4321)
    )()


VARIATIONS = (
    Variation(
        "kernels that need not be deterministic",
        before=_settings(NVTE_ALLOW_NONDETERMINISTIC_ALGO="1"),
        after=_not_deterministic,
    ),
    Variation(
        "megatron-core's local layers",
        case=_local_layers,
        # The wheel does not have the fused softmax.
        after=_config(masked_softmax_fusion=False),
    ),
    Variation(
        "cuDNN's fused attention",
        after=_fused_attention,
    ),
    Variation(
        "no fusion of bias, activation and dropout",
        after=_config(bias_activation_fusion=False, bias_dropout_fusion=False),
    ),
    Variation(
        "trees in place of rings, and another workspace of cuBLAS",
        # NCCL supports trees only for reductions.
        before=_settings(
            NCCL_ALGO="ring;allreduce:tree", CUBLAS_WORKSPACE_CONFIG=":16:8"
        ),
    ),
    Variation("other bits of dropout", after=_other_dropout),
)

BY_NAME = {variation.name: variation for variation in VARIATIONS}


def flag(name: str) -> str:
    """The flag that has the instrumented trainer make a variation."""
    return instrumentation.flag(__name__, name, early=True)


def install_early(argument: str) -> None:
    """Makes the variation of that name, before torch is imported."""
    BY_NAME[argument].before()


def install(argument: str) -> None:
    """Makes the rest of the variation, when the trainer is imported."""
    BY_NAME[argument].after()
