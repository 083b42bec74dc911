"""megatron-core's optimizer and scheduler, with a decoupled learning rate."""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from megatron.core import optimizer as core_optimizer
from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import (
    MegatronOptimizer,
    OptimizerConfig,
    get_megatron_optimizer,
)
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

from regress.case import case_pb2
from regress.run import run_pb2
from regress.trainer import model

# Releases that have this module import it for every optimizer that they build:
# done here, it is done once for all ranks that a process forks.
with contextlib.suppress(ModuleNotFoundError):
    import megatron.core.models.mimo.model.base  # noqa: F401

_DECAY_STYLES = {
    case_pb2.LearningRate.COSINE: "cosine",
    case_pb2.LearningRate.LINEAR: "linear",
    case_pb2.LearningRate.CONSTANT: "constant",
}


def build_optimizer(
    case: case_pb2.Case, chunks: list[DistributedDataParallel]
) -> MegatronOptimizer:
    """Builds the optimizer over the rank's chunks.

    megatron-core gives every rank the same param groups, so a rank without a
    decoupled param has an empty decoupled group.
    """
    dtype = model.params_dtype(case)
    settings = case.optimizer
    config = OptimizerConfig(
        optimizer="adam",
        lr=settings.learning_rate.max,
        min_lr=settings.learning_rate.min,
        decoupled_lr=settings.decoupled_learning_rate.max,
        decoupled_min_lr=settings.decoupled_learning_rate.min,
        weight_decay=settings.weight_decay,
        adam_beta1=settings.beta1,
        adam_beta2=settings.beta2,
        adam_eps=settings.epsilon,
        clip_grad=settings.clip_grad,
        bf16=case.training.precision == case_pb2.Training.BF16,
        params_dtype=dtype,
        log_num_zeros_in_grad=True,
    )
    return get_megatron_optimizer(
        config,
        chunks,
        use_gloo_process_groups=False,
        **_grouping(settings.param_grouping, config),
    )


def build_scheduler(
    case: case_pb2.Case, optimizer: MegatronOptimizer
) -> OptimizerParamScheduler:
    """Builds the scheduler of learning rate and weight decay.

    It counts samples, not iterations, as Megatron-LM's own training does.
    """
    rate = case.optimizer.learning_rate
    batch = case.training.global_batch_size
    decay = case.optimizer.weight_decay
    return OptimizerParamScheduler(
        optimizer,
        init_lr=0.0,
        max_lr=rate.max,
        min_lr=rate.min,
        lr_warmup_steps=rate.warmup_iterations * batch,
        lr_decay_steps=rate.decay_iterations * batch,
        lr_decay_style=_DECAY_STYLES[rate.decay_style],
        start_wd=decay,
        end_wd=decay,
        wd_incr_steps=case.training.iterations * batch,
        wd_incr_style="constant",
    )


def group_names(optimizer: MegatronOptimizer) -> tuple[str, ...]:
    """Returns the param groups' names, in order and unique within the rank.

    Call this right after building the optimizer: the names derive from fields
    that a load may replace.
    """
    return tuple(_name_of(group) for group in optimizer.param_groups)


def describe_groups(
    groups: Iterable[tuple[str, Mapping[str, Any]]],
) -> list[run_pb2.ParamGroup]:
    """Describes the groups, with the rates that the next update will use.

    Args:
        groups: Pairs of name and group, from `TrainingState.param_groups`.
    """
    return [
        run_pb2.ParamGroup(
            name=name,
            learning_rate=group["lr"],
            weight_decay=group["weight_decay"],
            elements=sum(param.numel() for param in group["params"]),
        )
        for name, group in groups
    ]


def _grouping(
    grouping: "case_pb2.ParamGrouping", config: OptimizerConfig
) -> dict[str, Any]:
    """Returns the keyword arguments that define the param groups.

    On load, megatron-core 0.16.0 to 0.18.2 matches saved groups by a key that
    leaves out the rates, which merges the default and the decoupled group
    (Megatron-LM #4705, fixed in 0.19.0). The key includes `is_decoupled_lr`,
    which those releases never set; setting it here keeps the groups apart.
    Earlier releases set it themselves and have no overrides. Later releases
    have the rates in the key, so setting it changes nothing.
    """
    overrides = getattr(core_optimizer, "get_standard_config_overrides", None)
    if grouping == case_pb2.STOCK or overrides is None:
        return {}
    return {
        "config_overrides": {
            key: {**override, "is_decoupled_lr": True}
            if "max_lr" in override
            else override
            for key, override in overrides(config).items()
        }
    }


def _name_of(group: Mapping[str, Any]) -> str:
    # Releases before 0.16 mark the decoupled groups, later ones the default.
    is_default = group.get("default_config", not group["is_decoupled_lr"])
    name = "default" if is_default else "decoupled"
    return name if group["wd_mult"] else f"{name} (no weight decay)"
