"""Param groups as a reader knows them: by name, rate and size."""

from collections.abc import Iterable, Mapping
from typing import Any

from megatron.core.optimizer import MegatronOptimizer

from regress.run import run_pb2


def names(optimizer: MegatronOptimizer) -> tuple[str, ...]:
    """Names the groups, each uniquely in its rank, in their order.

    To be asked when the optimizer is built: what a group is named by are fields
    that a load may replace.
    """
    return tuple(_name_of(group) for group in optimizer.param_groups)


def describe(
    groups: Iterable[tuple[str, Mapping[str, Any]]],
) -> list[run_pb2.ParamGroup]:
    """Returns the named groups as they are now; the rates are the next step's.

    Args:
      groups: as `TrainingState.param_groups` gives them.
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


def _name_of(group: Mapping[str, Any]) -> str:
    # A release before 0.16 marks the decoupled groups, a later one the default.
    is_default = group.get("default_config", not group["is_decoupled_lr"])
    name = "default" if is_default else "decoupled"
    return name if group["wd_mult"] else f"{name} (no weight decay)"
