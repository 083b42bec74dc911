"""Faults in the moments, the step counters and the main params."""

from collections.abc import Iterator
from typing import Any

import torch

from regress.testing import instrumentation
from regress.testing.faults import fault, rank_files

_LOADED = 4


def _moments(state: Any, name: str) -> Iterator[torch.Tensor]:
    """Yields every param's exp_avg, exp_avg_sq or step."""
    for moments in state.optimizer.optimizer.state.values():
        yield moments[name]


def _zeroed(name: str) -> instrumentation.Install:
    def change(saved: dict[str, Any], state: Any) -> None:
        del saved
        for moment in _moments(state, name):
            moment.zero_()

    return instrumentation.after_restore(change)


def _change_beta2(state: Any) -> None:
    for group in state.optimizer.param_groups:
        group["betas"] = (group["betas"][0], 0.95)


def _do_not_clip(state: Any) -> None:
    # 0 would also skip the computation of the norm.
    state.optimizer.config.clip_grad = 1e9


def _share_step(saved: dict[str, Any], state: Any) -> None:
    del saved
    moments = list(state.optimizer.optimizer.state.values())
    for one in moments:
        one["step"] = moments[0]["step"]


def _freeze_weights(state: Any) -> None:
    (optimizer,) = state.optimizer.chained_optimizers
    optimizer._copy_main_params_to_model_params = instrumentation.nothing


def _skip_first_update(state: Any) -> None:
    update = state.optimizer.step_with_ready_grads

    def skip_once() -> bool:
        state.optimizer.step_with_ready_grads = update
        return False

    state.optimizer.step_with_ready_grads = skip_once


def _round_first_moments(saved: dict[str, Any], state: Any) -> None:
    del saved
    for moment in _moments(state, "exp_avg"):
        moment.copy_(moment.bfloat16())


def _swap_moments(saved: dict[str, Any], state: Any) -> None:
    del saved
    for moments in state.optimizer.optimizer.state.values():
        first, second = moments["exp_avg"], moments["exp_avg_sq"]
        moments["exp_avg"], moments["exp_avg_sq"] = second, first


def _moments_of(state: Any, name: str) -> dict[str, Any]:
    """Returns the optimizer's state of a param of chunk 0."""
    param = dict(state.models()[0].named_parameters())[name]
    moments: dict[str, Any] = state.optimizer.optimizer.state[param.main_param]
    return moments


def _flip_sign(saved: dict[str, Any], state: Any) -> None:
    del saved
    moment = _moments_of(state, "decoder.layers.0.mlp.linear_fc1.weight")
    moment["exp_avg"][3, 5] *= -1


def _exchange_params(saved: dict[str, Any], state: Any) -> None:
    """Swaps the moments of two params, as if the params were reordered."""
    del saved
    norm = "decoder.layers.0.input_layernorm"
    weight = _moments_of(state, f"{norm}.weight")
    bias = _moments_of(state, f"{norm}.bias")
    for name in ("exp_avg", "exp_avg_sq"):
        weight[name], bias[name] = bias[name], weight[name]


def _take_optimizer_of_rank_1(saved: dict[str, Any], other: Any) -> None:
    saved["optimizer"] = other["optimizer"]


def _take_main_params(saved: dict[str, Any], other: Any) -> None:
    key = "fp32_from_fp16_params"
    saved["optimizer"][key] = other["optimizer"][key]


FAULTS = (
    fault.Fault(
        "optimizer_not_loaded",
        "Automodel #763",
        "Moments, step counters and main params start over.",
        fault.Injection(
            trainer=instrumentation.after_build(
                lambda state: setattr(
                    state.optimizer, "load_state_dict", instrumentation.nothing
                )
            )
        ),
        fault.divergence(
            r"chunk 0/(main param|exp_avg|exp_avg_sq|step)/.*",
            (0,),
            _LOADED,
            "main param.*exp_avg|exp_avg.*main param",
        ),
    ),
    fault.Fault(
        "first_moment_lost",
        "KempnerForge #115",
        "The optimizer's lazily built state drops the saved first moments.",
        fault.Injection(trainer=_zeroed("exp_avg")),
        fault.divergence(r"chunk 0/exp_avg/.*", (0,), _LOADED),
    ),
    fault.Fault(
        "second_moment_lost",
        "KempnerForge #115",
        "The optimizer's lazily built state drops the saved second moments.",
        fault.Injection(trainer=_zeroed("exp_avg_sq")),
        fault.divergence(r"chunk 0/exp_avg_sq/.*", (0,), _LOADED),
    ),
    fault.Fault(
        "adam_step_lost",
        "DeepSpeed #4396",
        "Adam's step counters start over.",
        fault.Injection(trainer=_zeroed("step")),
        fault.divergence(r"chunk 0/step/.*", (0,), _LOADED),
    ),
    fault.Fault(
        "main_params_from_bf16",
        "Megatron-LM #1842 (alike)",
        "The main params are rebuilt from the bfloat16 weights.",
        fault.Injection(
            trainer=instrumentation.after_restore(
                lambda saved, state: state.optimizer.reload_model_params()
            )
        ),
        fault.divergence(r"chunk 0/main param/.*", (0,), _LOADED),
    ),
    fault.Fault(
        "main_params_stale",
        "thought of",
        "The weights are loaded, but the main params are from an older "
        "checkpoint: the first step reverts the weights.",
        fault.Injection(
            disk=rank_files.mix(2, 4, _take_main_params, other_iteration=2)
        ),
        fault.divergence(
            r"chunk 0/main param/.*", (2,), _LOADED, "of iteration 2"
        ),
    ),
    fault.Fault(
        "optimizer_state_of_wrong_rank",
        "Megatron-LM #761",
        "A rank loads the optimizer state of another rank's file.",
        fault.Injection(
            disk=rank_files.mix(2, 4, _take_optimizer_of_rank_1, other_rank=1)
        ),
        fault.divergence(
            r"chunk 0/(main param|exp_avg)/.*",
            (2,),
            _LOADED,
            "what rank 2 loaded is what rank 1 saved",
        ),
    ),
    fault.Fault(
        "moment_sign_flipped",
        "thought of",
        "One element of one first moment of rank 1 changes its sign.",
        fault.Injection(
            trainer=instrumentation.after_restore(
                instrumentation.on_rank(1, _flip_sign)
            )
        ),
        fault.divergence(
            r"chunk 0/exp_avg/decoder\.layers\.0\.mlp\.linear_fc1\.weight",
            (1,),
            _LOADED,
        ),
    ),
    fault.Fault(
        "moments_rounded",
        "thought of",
        "The first moments pass through bfloat16.",
        fault.Injection(
            trainer=instrumentation.after_restore(_round_first_moments)
        ),
        fault.divergence(r"chunk 0/exp_avg/.*", (0,), _LOADED),
    ),
    fault.Fault(
        "moments_swapped",
        "thought of",
        "First and second moments are swapped.",
        fault.Injection(trainer=instrumentation.after_restore(_swap_moments)),
        fault.divergence(r"chunk 0/(exp_avg|exp_avg_sq)/.*", (0,), _LOADED),
    ),
    fault.Fault(
        "param_order_permuted",
        "thought of",
        "The optimizer numbers its params in another order, so two of the same "
        "shape swap their moments.",
        fault.Injection(
            trainer=instrumentation.after_restore(
                instrumentation.on_rank(1, _exchange_params)
            )
        ),
        fault.divergence(
            r"chunk 0/exp_avg/decoder\.layers\.0\.input_layernorm\..*",
            (1,),
            _LOADED,
        ),
    ),
    fault.Fault(
        "step_counter_shared",
        "megatron-core 0.16.1's distributed optimizer (read)",
        "All params share one step counter after the load, so it counts once "
        "for each of them.",
        fault.Injection(trainer=instrumentation.after_restore(_share_step)),
        fault.divergence("params norm", (0,), 5, "moments|step count"),
    ),
    fault.Fault(
        "beta2_changed",
        "thought of",
        "The configuration's beta2 replaces the loaded one at the first step.",
        fault.Injection(
            trainer=instrumentation.before_first_step(_change_beta2)
        ),
        fault.divergence(
            r"param group default.*/betas",
            (0,),
            _LOADED,
            "was changed before the first step",
        ),
    ),
    fault.Fault(
        "gradient_not_clipped",
        "thought of",
        "The gradient is no longer clipped after the resume.",
        fault.Injection(
            trainer=instrumentation.before_first_step(_do_not_clip)
        ),
        fault.divergence("params norm", (0,), 5, "update"),
    ),
    fault.Fault(
        "first_update_skipped",
        "thought of",
        "The optimizer skips the first step after the resume.",
        fault.Injection(
            trainer=instrumentation.before_first_step(_skip_first_update)
        ),
        fault.divergence(
            "params norm",
            (0,),
            5,
            "skipped the update of iteration 5 in attempt 1 on ranks 0, 1, 2, 3"
            ", and not in attempt 0",
        ),
    ),
    fault.Fault(
        "weights_not_updated",
        "thought of",
        "The main params are updated but no longer copied to the weights.",
        fault.Injection(
            trainer=instrumentation.before_first_step(_freeze_weights)
        ),
        fault.divergence("lm loss", (3,), 6, "weights"),
    ),
)

IMPOSSIBLE = (
    fault.Impossible(
        "loss_scale_lost",
        "fp16 only",
        "The case trains in bfloat16, which has no grad scaler; a golden's "
        "loss scale is 1 at every step.",
    ),
)
