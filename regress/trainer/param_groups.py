"""Param groups as a reader knows them: by name, rate and size."""

from collections.abc import Iterator, Mapping
from typing import Any

from megatron.core.optimizer import MegatronOptimizer

from regress.run import run_pb2


def name_of(group: Mapping[str, Any]) -> str:
    """Names a group of megatron-core's optimizer, uniquely in a rank."""
    # A release before 0.16 marks the decoupled groups, a later one the default.
    is_default = group.get("default_config", not group["is_decoupled_lr"])
    name = "default" if is_default else "decoupled"
    return name if group["wd_mult"] else f"{name} (no weight decay)"


def named(
    optimizer: MegatronOptimizer,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields each param group with its name."""
    for group in optimizer.param_groups:
        yield name_of(group), group


def describe(optimizer: MegatronOptimizer) -> list[run_pb2.ParamGroup]:
    """Returns the groups as they are now; the rates are the next step's."""
    return [
        run_pb2.ParamGroup(
            name=name,
            learning_rate=group["lr"],
            weight_decay=group["weight_decay"],
            elements=sum(param.numel() for param in group["params"]),
        )
        for name, group in named(optimizer)
    ]
