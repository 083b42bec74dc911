"""Builds this rank's model chunks of a pipelined GPT."""

from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.distributed import (
    DistributedDataParallel,
    DistributedDataParallelConfig,
    finalize_model_grads,
)
from megatron.core.models.gpt import GPTModel
from megatron.core.models.gpt.gpt_layer_specs import (
    get_gpt_layer_local_spec,
    get_gpt_layer_with_transformer_engine_spec,
)
from megatron.core.transformer.enums import AttnBackend
from megatron.core.transformer.module import Float16Module
from megatron.core.transformer.transformer_config import TransformerConfig

from regress.case import case_pb2, derived
from regress.trainer import backend as backend_lib
from regress.trainer import hooks

_LAYER_SPECS = {
    case_pb2.Model.LOCAL: get_gpt_layer_local_spec,
    case_pb2.Model.TRANSFORMER_ENGINE: (
        get_gpt_layer_with_transformer_engine_spec
    ),
}
_TYPES = {
    case_pb2.Training.BF16: torch.bfloat16,
    case_pb2.Training.FP32: torch.float32,
}


def params_dtype(case: case_pb2.Case) -> torch.dtype:
    """Returns the dtype of weights, activations and pipeline traffic."""
    return _TYPES[case.training.precision]


def captures_layers(case: case_pb2.Case, backend: backend_lib.Backend) -> bool:
    """Whether megatron-core captures each layer in CUDA graphs."""
    return (
        backend.captures_layers
        and case.model.implementation == case_pb2.Model.TRANSFORMER_ENGINE
    )


def transformer_config(
    case: case_pb2.Case, backend: backend_lib.Backend
) -> TransformerConfig:
    """Returns megatron-core's config for the case's model and pipeline."""
    model = case.model
    dtype = params_dtype(case)
    chunks = derived.chunks_per_rank(case)
    # Only the interleaved schedule can overlap p2p communication.
    overlap = backend.overlaps_communication and chunks > 1
    return TransformerConfig(
        num_layers=model.layers,
        hidden_size=model.hidden_size,
        num_attention_heads=model.attention_heads,
        hidden_dropout=model.hidden_dropout,
        attention_dropout=model.attention_dropout,
        attention_softmax_in_fp32=True,
        gradient_accumulation_fusion=False,
        pipeline_model_parallel_size=case.parallelism.pipeline,
        virtual_pipeline_model_parallel_size=chunks if chunks > 1 else None,
        bf16=dtype is torch.bfloat16,
        params_dtype=dtype,
        pipeline_dtype=dtype,
        overlap_p2p_comm=overlap,
        batch_p2p_comm=not overlap,
        finalize_model_grads_func=finalize_model_grads,
        attention_backend=AttnBackend[backend.attention_backend],
        cuda_graph_impl="local" if captures_layers(case, backend) else "none",
        # The pass that is captured has run once before, in the rehearsal.
        cuda_graph_warmup_steps=1,
        **backend.transformer_config,
    )


@hooks.BUILD_MODEL
def build_chunks(
    case: case_pb2.Case, config: TransformerConfig, device: torch.device
) -> list[DistributedDataParallel]:
    """Builds the rank's model chunks, in virtual-stage order.

    megatron-core's parallel state must be initialized and its random
    generators seeded.

    Returns:
        One chunk per virtual stage: a GPTModel in megatron-core's wrappers.
    """
    ddp_config = DistributedDataParallelConfig(
        grad_reduce_in_fp32=True, use_distributed_optimizer=False
    )
    modules = []
    for stage in range(derived.chunks_per_rank(case)):
        module: Any = _build_chunk(case, config, stage).to(device)
        if config.bf16:
            module = Float16Module(config, module)
        modules.append(module)
    return [
        DistributedDataParallel(
            config=config,
            ddp_config=ddp_config,
            module=module,
            # Same as Megatron-LM's own training: only the first chunk's
            # gradients can be reduced while other chunks still compute.
            disable_bucketing=stage > 0,
        )
        for stage, module in enumerate(modules)
    ]


def unwrap(chunk: Any) -> GPTModel:
    """Returns the GPTModel inside a chunk's wrappers."""
    while hasattr(chunk, "module"):
        chunk = chunk.module
    return chunk


def _check_implementation(case: case_pb2.Case) -> None:
    """Raises BackendError if the case's layers are not installed."""
    if case.model.implementation != case_pb2.Model.TRANSFORMER_ENGINE:
        return
    try:
        # megatron-core imports without it and fails later, less clearly.
        import transformer_engine.pytorch  # noqa: F401
    except ImportError as error:
        raise backend_lib.BackendError(
            "Transformer Engine cannot be imported "
            f"({str(error).splitlines()[0]}); case '{case.name}' needs it. "
            "Install transformer-engine and transformer-engine-torch for this "
            "torch, or choose a case with local layers."
        ) from error


def _build_chunk(
    case: case_pb2.Case, config: TransformerConfig, stage: int
) -> GPTModel:
    _check_implementation(case)
    virtual = config.virtual_pipeline_model_parallel_size is not None
    vp_stage = stage if virtual else None
    return GPTModel(
        config,
        _LAYER_SPECS[case.model.implementation](),
        vocab_size=case.model.vocabulary_size,
        max_sequence_length=case.model.sequence_length,
        pre_process=parallel_state.is_pipeline_first_stage(
            ignore_virtual=False, vp_stage=vp_stage
        ),
        post_process=parallel_state.is_pipeline_last_stage(
            ignore_virtual=False, vp_stage=vp_stage
        ),
        share_embeddings_and_output_weights=case.model.tied_embeddings,
        vp_stage=vp_stage,
    )
