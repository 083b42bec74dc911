"""Disables torch.compile and the compilation of extensions.

megatron-core and Transformer Engine use torch.compile as a decorator at import
time, and torch's own optimizers exclude their steps from it. Either one
imports TorchDynamo and Inductor, which costs a rank 2 s on a CPU host and 4 s
on a GPU host; compiling costs 8 s more and saves 0.02 s per step. With it
disabled, the functions run in eager mode.

megatron-core 0.15 also compiles an extension for inference at import time,
into the home directory, even if the host has no CUDA compiler.
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
    """Disables compilation. Call it before importing megatron-core."""
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
    """Stands in for a TorchDynamo module until something else is needed."""

    def __getattr__(self, name: str) -> Any:
        # Code that scans sys.modules asks for __file__ and the like. Importing
        # a submodule fails here; the code that tries it works without one.
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
    """Stands in for torch.compile, called directly or as a decorator."""
    if model is not None:
        return model
    return lambda function: function


def _refuse(*args: Any, **kwargs: Any) -> None:
    """Stands in for load_inline; its importers work without the extension."""
    raise RuntimeError("A rank compiles no extension.")


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Stands in for functions that only affect compiled code."""


# The attributes of TorchDynamo that training uses when nothing is compiled.
_IDLE: Mapping[str, Mapping[str, object]] = {
    _DYNAMO: {
        "allow_in_graph": _as_written,
        "assume_constant_result": _as_written,
        "disable": _as_written,
        "nonstrict_trace": _as_written,
        "graph_break": _nothing,
        # torch.distributed clears this cache.
        "trace_rules": types.SimpleNamespace(clear_lru_cache=_nothing),
    },
    # Transformer Engine sets a field of this module.
    f"{_DYNAMO}.config": {},
}
