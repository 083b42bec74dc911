"""Leaves torch.compile out.

megatron-core and Transformer Engine decorate functions with it as they are
imported. That imports TorchDynamo and Inductor, which takes a rank 2 s on a
CPU host and 4 s on a GPU host, and compiling takes 8 s more, for 0.02 s a step.
What would be compiled runs as it is written.
"""

from collections.abc import Callable
from typing import Any

import torch


def apply() -> None:
    """Makes torch.compile the identity; before megatron-core is imported."""
    torch.compile = _as_written


def _as_written(
    model: Callable[..., Any] | None = None, **options: Any
) -> Callable[..., Any]:
    """Stands in for torch.compile, as a call and as a decorator."""
    if model is not None:
        return model
    return lambda function: function
