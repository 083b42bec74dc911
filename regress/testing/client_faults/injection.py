"""Ways to change a training program from outside, once it has imported torch.

What wraps torch.load and torch.save is between the program and the hooks, if
there are any: the hooks see what the file has, and the program, or the file,
has something else. So a bug of the program's own is imitated.
"""

import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from regress.client import channel
from regress.testing.client_faults import checkpoint

Install = Callable[[Any], None]
Change = Callable[[checkpoint.Checkpoint], None]

# Stands in for a function: gets that, and its arguments.
Around = Callable[..., Any]


def rank() -> int:
    """Returns the rank of this process."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_initialized():
        return int(distributed.get_rank())
    return channel.rank_by_environment(os.environ) or 0


def wrap(owner: Any, name: str, around: Around) -> None:
    """Has a function called in place of another."""
    plain = getattr(owner, name)

    @functools.wraps(plain)
    def wrapper(*args: Any, **named: Any) -> Any:
        return around(plain, *args, **named)

    setattr(owner, name, wrapper)


def loaded(change: Change, ranks: Sequence[int] = ()) -> Install:
    """Changes what the program gets from torch.load.

    Args:
        change: Changes a checkpoint.
        ranks: Those that have the fault; all if there are none.
    """

    def load(plain: Any, *args: Any, **named: Any) -> Any:
        state = plain(*args, **named)
        if checkpoint.is_one(state) and (not ranks or rank() in ranks):
            change(checkpoint.Checkpoint(state))
        return state

    return lambda torch: wrap(torch, "load", load)


def saved(change: Change) -> Install:
    """Changes what the program gives to torch.save."""

    def save(plain: Any, state: Any, *args: Any, **named: Any) -> Any:
        if checkpoint.is_one(state):
            state = checkpoint.copy(state)
            change(checkpoint.Checkpoint(state))
        return plain(state, *args, **named)

    return lambda torch: wrap(torch, "save", save)


def replaced(place: str, name: str, around: Around) -> Install:
    """Wraps a function of torch.

    Args:
        place: The module or class that has it, below torch: "nn.Module".
        name: The function's name.
        around: What is called in its place.
    """

    def install(torch: Any) -> None:
        owner = torch
        for part in filter(None, place.split(".")):
            owner = getattr(owner, part)
        wrap(owner, name, around)

    return install


def nothing(plain: Any, *args: Any, **named: Any) -> None:
    """Stands in for a function, and does nothing."""
    del plain, args, named
