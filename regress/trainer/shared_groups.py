"""Lets process groups of the same ranks share their connections.

megatron-core makes dozens of process groups, one for each way to divide the
ranks, and most of them have the same members: all ranks, or one alone. With
gloo each group has three threads, of which one looks for work 100 times a
second, and its own connections. Of the smallest case they took a third of a
rank's time in the kernel, and a tenth of its CPU time.

Only the CPU backend does this. A rank uses its groups in the same order as its
peers, and waits for each exchange, so what two groups exchange cannot meet.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch.distributed


def apply() -> None:
    """Shares the groups that torch.distributed.new_group makes from now on."""
    torch.distributed.new_group = _sharing(torch.distributed.new_group)


def _sharing(new_group: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps `new_group`."""
    made: dict[object, Any] = {}

    @functools.wraps(new_group)
    def shared(
        ranks: Sequence[int] | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        world = torch.distributed.group.WORLD
        if made.get(None) is not world:
            # This process has joined another job, as tests do.
            made.clear()
            made[None] = world
            made[tuple(range(torch.distributed.get_world_size()))] = world
        members = (
            tuple(range(torch.distributed.get_world_size()))
            if ranks is None
            else tuple(sorted(ranks))
        )
        if members not in made:
            # All ranks call this in the same order, for every group: so they
            # agree on which ones are made.
            made[members] = new_group(ranks, *args, **kwargs)
        return made[members]

    return shared
