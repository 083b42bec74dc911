"""Faults in the state of stages and chunks, and in their communication."""

from typing import Any

import torch

from regress.scenario import job_files
from regress.testing import instrumentation
from regress.testing.faults import fault, rank_files
from regress.trainer import hooks

_LOADED = 4
_LAYER = "decoder.layers.0."
_FC1 = _LAYER + "mlp.linear_fc1.weight"


def _load_nothing(state: Any) -> None:
    for chunk in state.models():
        chunk.load_state_dict = instrumentation.nothing


def _miss_chunk_1(state: Any) -> None:
    state.models()[1].load_state_dict = instrumentation.nothing


def _swap_chunks(saved: dict[str, Any], state: Any) -> None:
    del state
    saved["model0"], saved["model1"] = saved["model1"], saved["model0"]


def _keep(chunk: int, name: str) -> instrumentation.ChangeSaved:
    """Keeps a param's initial value through the load."""

    def change(saved: dict[str, Any], state: Any) -> None:
        params = dict(state.models()[chunk].named_parameters())
        saved[f"model{chunk}"][name] = params[name].detach().clone()

    return change


def _rename_and_drop(saved: dict[str, Any], state: Any) -> None:
    chunk = state.models()[0]
    load = chunk.load_state_dict

    def load_what_fits(weights: dict[str, Any], strict: bool) -> None:
        del strict
        load(weights, strict=False)

    chunk.load_state_dict = load_what_fits
    weights = saved["model0"]
    weights[_FC1.replace("fc1", "in")] = weights.pop(_FC1)


def _take_mlp(saved: dict[str, Any], other: dict[str, Any]) -> None:
    for name, weight in other["model0"].items():
        if name.startswith(_LAYER + "mlp."):
            saved["model0"][name] = weight


def _flip_bit(saved: dict[str, Any]) -> None:
    weight = saved["model1"][_FC1]
    weight.view(torch.int16)[7, 7] ^= 1


def _swap_files(files: job_files.JobFiles) -> None:
    one, other = (rank_files.path(files, rank, _LOADED) for rank in (1, 2))
    aside = one.with_suffix(".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    rank_files.list_again(files, _LOADED)


def _reset_nothing(state: Any) -> None:
    for chunk in state.chunks:
        for buffer in chunk.buffers:
            buffer.reset = instrumentation.nothing


def _average_otherwise(original: Any) -> Any:
    def loss(*args: Any) -> Any:
        total, tokens, logged = original(*args)
        return total, tokens * 2, logged

    return loss


def _approximate_gelu(values: torch.Tensor) -> torch.Tensor:
    return values * torch.sigmoid(1.702 * values)


def _change_activation(state: Any) -> None:
    for chunk in state.models():
        for module in chunk.modules():
            if hasattr(module, "activation_func"):
                module.activation_func = _approximate_gelu


def _tie(saved: dict[str, Any], state: Any) -> None:
    """Loads chunk 0's weights into both chunks of a rank."""
    del state
    for name in saved["model0"]:
        saved["model1"][name] = saved["model0"][name]


FAULTS = (
    fault.Fault(
        "chunk_missing",
        "Megatron-LM's checkpointing (read)",
        "A missing key model1 is skipped, so chunk 1 of rank 1 keeps its "
        "initial values.",
        fault.Injection(
            trainer=instrumentation.after_build(
                instrumentation.on_rank(1, _miss_chunk_1)
            )
        ),
        fault.divergence(r"chunk 1/param/.*", (1,), _LOADED),
    ),
    fault.Fault(
        "chunks_swapped",
        "swiss-ai/Megatron-LM #116 (alike)",
        "Rank 1 loads its chunks in another order.",
        fault.Injection(
            trainer=instrumentation.before_restore(
                instrumentation.on_rank(1, _swap_chunks)
            )
        ),
        fault.divergence(
            r"chunk 0/param/.*",
            (1,),
            _LOADED,
            "chunk 0 holds what chunk 1 saved",
        ),
    ),
    fault.Fault(
        "chunks_alike",
        "thought of",
        "Rank 2 loads its chunk 0 into both chunks.",
        fault.Injection(
            trainer=instrumentation.before_restore(
                instrumentation.on_rank(2, _tie)
            )
        ),
        fault.divergence(
            r"chunk 1/param/.*",
            (2,),
            _LOADED,
            "chunk 1 holds what chunk 0 saved",
        ),
    ),
    fault.Fault(
        "stages_swapped",
        "Megatron-LM #7452 (alike)",
        "The files of ranks 1 and 2 are swapped.",
        fault.Injection(disk=_swap_files),
        fault.divergence(
            r"chunk 0/param/.*",
            (1,),
            _LOADED,
            "what rank 1 loaded is what rank 2 saved",
        ),
    ),
    fault.Fault(
        "embedding_replicas_differ",
        "Megatron-Bridge #5380",
        "The last stage keeps its own initial copy of the tied embedding.",
        fault.Injection(
            trainer=instrumentation.before_restore(
                instrumentation.on_rank(3, _keep(1, "output_layer.weight"))
            )
        ),
        fault.divergence(
            "chunk 1/param/output_layer.weight", (3,), _LOADED, "tied"
        ),
    ),
    fault.Fault(
        "position_embedding_lost",
        "thought of",
        "The learned position embeddings are not loaded.",
        fault.Injection(
            trainer=instrumentation.before_restore(
                instrumentation.on_rank(
                    0, _keep(0, "embedding.position_embeddings.weight")
                )
            )
        ),
        fault.divergence(
            "chunk 0/param/embedding.position_embeddings.weight", (0,), _LOADED
        ),
    ),
    fault.Fault(
        "weights_not_loaded",
        "Levanter's negative control",
        "Loading the weights reports success and loads nothing.",
        fault.Injection(trainer=instrumentation.after_build(_load_nothing)),
        fault.divergence(r"chunk 0/param/.*", (0,), _LOADED, r"param \(\d+\)"),
    ),
    fault.Fault(
        "load_not_strict",
        "read",
        "A renamed key of rank 2 is silently dropped.",
        fault.Injection(
            trainer=instrumentation.before_restore(
                instrumentation.on_rank(2, _rename_and_drop)
            )
        ),
        fault.divergence(rf"chunk 0/param/{_FC1}", (2,), _LOADED),
    ),
    fault.Fault(
        "one_layer_stale",
        "thought of",
        "Some weights of one layer of rank 2 are from the previous save.",
        fault.Injection(
            disk=rank_files.mix(2, _LOADED, _take_mlp, other_iteration=2)
        ),
        fault.divergence(
            rf"chunk 0/param/{_LAYER}mlp\..*", (2,), _LOADED, "of iteration 2"
        ),
    ),
    fault.Fault(
        "saved_weight_bit_flipped",
        "thought of",
        "The lowest bit of one weight of rank 1 changed before it was written.",
        fault.Injection(disk=rank_files.edit(1, _LOADED, _flip_bit)),
        fault.divergence(
            rf"chunk 1/param/{_FC1}", (1,), _LOADED, r"param \(1\)"
        ),
    ),
    fault.Fault(
        "tied_gradient_not_reduced",
        "thought of",
        "The gradients of the tied embedding's copies are no longer summed.",
        fault.Injection(
            trainer=instrumentation.replaced(
                "megatron.core.distributed.finalize_model_grads",
                "_allreduce_word_embedding_grads",
                lambda original: instrumentation.nothing,
            )
        ),
        fault.divergence("grad norm", (0,), 5, "reduction of gradients"),
    ),
    fault.Fault(
        "gradient_not_zeroed",
        "thought of",
        "After the first step, gradients add up from step to step.",
        fault.Injection(
            trainer=instrumentation.before_first_step(_reset_nothing)
        ),
        fault.divergence("grad norm", (0,), 6, "backward pass"),
    ),
    fault.Fault(
        "loss_averaged_otherwise",
        "thought of",
        "The gradient and the loss are divided by different numbers of tokens.",
        fault.Injection(
            trainer=instrumentation.wrapped(hooks.LOSS, _average_otherwise)
        ),
        fault.divergence("grad norm", (0,), 5, "backward pass"),
    ),
    fault.Fault(
        "activation_changed",
        "thought of",
        "Attempt 1 runs another version of the activation function.",
        fault.Injection(
            trainer=instrumentation.after_build(_change_activation)
        ),
        fault.divergence("lm loss", (3,), 5, "forward pass"),
    ),
    fault.Fault(
        "numeric_drift_activation",
        "thought of",
        "Both attempts run a version of the activation function that is not "
        "the golden's.",
        fault.Injection(
            trainer=instrumentation.after_build(_change_activation),
            faulty_attempts=(0, 1),
        ),
        fault.Expected(
            "NUMERIC_DRIFT",
            "lm loss",
            attempt=0,
            ranks=(3,),
            iteration=1,
            summary="reproducible|deterministic",
        ),
    ),
)

IMPOSSIBLE = (
    fault.Impossible(
        "buffers_lost",
        "thought of",
        "The model has no buffers; every tensor of it is a param.",
    ),
    fault.Impossible(
        "data_parallel_replicas_differ",
        "thought of",
        "The case has one replica of each stage: four ranks are four stages.",
    ),
)
