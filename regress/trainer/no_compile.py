"""Leaves torch.compile out.

megatron-core and Transformer Engine decorate functions with it as they are
imported, and torch's own optimizers tell it to keep out of their steps. Either
imports TorchDynamo and Inductor, which takes a rank 2 s on a CPU host and 4 s
on a GPU host, and compiling takes 8 s more, for 0.02 s a step. What would be
compiled runs as it is written.
"""

import importlib
import sys
import types
from collections.abc import Callable
from typing import Any

import torch

_DYNAMO = "torch._dynamo"


def apply() -> None:
    """Makes torch.compile the identity; before megatron-core is imported."""
    torch.compile = _as_written
    if _DYNAMO not in sys.modules:
        stand_in = _IdleDynamo(_DYNAMO)
        sys.modules[_DYNAMO] = stand_in
        torch._dynamo = stand_in  # type: ignore[assignment]


class _IdleDynamo(types.ModuleType):
    """Stands in for TorchDynamo until somebody asks it for more than rest."""

    # torch.distributed clears its cache where there is a TorchDynamo.
    trace_rules = types.SimpleNamespace(clear_lru_cache=lambda: None)

    def disable(
        self, fn: Callable[..., Any] | None = None, *args: Any, **kwargs: Any
    ) -> Callable[..., Any]:
        """Returns the function: nothing would compile it."""
        del args, kwargs
        return _as_written(fn)

    def graph_break(self, *args: Any, **kwargs: Any) -> None:
        """Breaks nothing: there is no graph."""

    def __getattr__(self, name: str) -> Any:
        # Whoever looks over all modules asks for __file__ and the like; an
        # import of a module inside asks for __path__, and wants the real one.
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        if sys.modules[_DYNAMO] is self:
            del sys.modules[_DYNAMO]
            del torch._dynamo
            importlib.import_module(_DYNAMO)
        return getattr(sys.modules[_DYNAMO], name)


def _as_written(
    model: Callable[..., Any] | None = None, **options: Any
) -> Callable[..., Any]:
    """Stands in for torch.compile, as a call and as a decorator."""
    if model is not None:
        return model
    return lambda function: function
