"""Leaves compilers out.

megatron-core and Transformer Engine decorate functions with it as they are
imported, and torch's own optimizers tell it to keep out of their steps. Either
imports TorchDynamo and Inductor, which takes a rank 2 s on a CPU host and 4 s
on a GPU host, and compiling takes 8 s more, for 0.02 s a step. What would be
compiled runs as it is written.

megatron-core 0.15 also compiles an extension for inference as it is imported,
into the home directory, with the CUDA compiler that it finds there or without.
"""

import importlib
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils import cpp_extension

_DYNAMO = "torch._dynamo"


def apply() -> None:
    """Has nothing compiled; to be called before megatron-core is imported."""
    torch.compile = _as_written
    cpp_extension.load_inline = _refuse
    if _DYNAMO in sys.modules:
        return
    for name, attributes in _IDLE.items():
        module = _IdleModule(name)
        vars(module).update(attributes)
        sys.modules[name] = module
        parent, _, attribute = name.rpartition(".")
        setattr(sys.modules[parent], attribute, module)


class _IdleModule(types.ModuleType):
    """Stands in for one of TorchDynamo's until asked for more than rest."""

    def __getattr__(self, name: str) -> Any:
        # Whoever looks over all modules asks for __file__ and the like. An
        # import of a module inside fails: those that try one do without it.
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules[self.__name__] is self:
            for idle in _IDLE:
                del sys.modules[idle]
            del torch._dynamo
            importlib.import_module(_DYNAMO)
        return getattr(importlib.import_module(self.__name__), name)


def _as_written(
    model: Callable[..., Any] | None = None, *args: Any, **options: Any
) -> Callable[..., Any]:
    """Stands in for torch.compile, as a call and as a decorator."""
    if model is not None:
        return model
    return lambda function: function


def _refuse(*args: Any, **kwargs: Any) -> None:
    """Stands in for what compiles an extension; importers do without it."""
    raise RuntimeError("A rank compiles no extension.")


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Stands in for what concerns compiled code alone."""


# What training asks of TorchDynamo where nothing is compiled.
_IDLE: Mapping[str, Mapping[str, object]] = {
    _DYNAMO: {
        "allow_in_graph": _as_written,
        "assume_constant_result": _as_written,
        "disable": _as_written,
        "nonstrict_trace": _as_written,
        "graph_break": _nothing,
        # torch.distributed clears its cache.
        "trace_rules": types.SimpleNamespace(clear_lru_cache=_nothing),
    },
    # Transformer Engine sets a field of it.
    f"{_DYNAMO}.config": {},
}
