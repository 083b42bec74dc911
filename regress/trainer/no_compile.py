"""Disables torch.compile and the compilation of extensions.

megatron-core and Transformer Engine use torch.compile as a decorator at import
time, and torch's own optimizers exclude their steps from it. Either one
imports TorchDynamo and Inductor, which costs a rank 2 s on a CPU host and 4 s
on a GPU host; compiling costs 8 s more and saves 0.02 s per step. With it
disabled, the functions run in eager mode.

megatron-core 0.15 also compiles an extension for inference at import time,
into the home directory, even if the host has no CUDA compiler. All releases
import torch's module for extensions, and this imports setuptools, which costs a
rank 0.4 s.
"""

import importlib
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

_DYNAMO = "torch._dynamo"
_EXTENSIONS = "torch.utils.cpp_extension"


def apply() -> None:
    """Disables compilation. Call it before importing megatron-core."""
    torch.compile = _as_written
    for stand_ins in _STAND_INS:
        names = [*stand_ins]
        if names[0] in sys.modules:
            _refuse_extensions()
            continue
        for name, attributes in stand_ins.items():
            module = _IdleModule(name, names)
            vars(module).update(attributes)
            sys.modules[name] = module
            parent, _, attribute = name.rpartition(".")
            setattr(sys.modules[parent], attribute, module)


class _IdleModule(types.ModuleType):
    """Stands in for a module until something else of it is needed.

    Args:
        name: The module's name.
        package: The names of the modules that give way together, the outermost
            first.
    """

    def __init__(self, name: str, package: Sequence[str]) -> None:
        super().__init__(name)
        self._package = package

    def __getattr__(self, name: str) -> Any:
        # Code that scans sys.modules asks for __file__ and the like. Importing
        # a submodule fails here; the code that tries it works without one.
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules[self.__name__] is self:
            for idle in self._package:
                del sys.modules[idle]
            outermost = self._package[0]
            parent, _, attribute = outermost.rpartition(".")
            delattr(sys.modules[parent], attribute)
            importlib.import_module(outermost)
            _refuse_extensions()
        return getattr(importlib.import_module(self.__name__), name)


def _refuse_extensions() -> None:
    """Keeps the real module, once it is there, from compiling."""
    if _EXTENSIONS in sys.modules:
        vars(sys.modules[_EXTENSIONS])["load_inline"] = _refuse


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


# The modules that stand in for others, and the attributes that training uses
# when nothing is compiled.
_STAND_INS: Sequence[Mapping[str, Mapping[str, object]]] = (
    {
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
    },
    {_EXTENSIONS: {"CUDA_HOME": None, "load_inline": _refuse}},
)
