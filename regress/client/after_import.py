"""Calls a function as soon as a program has imported a module.

So a library can be observed, or changed, in a program that knows nothing of it.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any


class AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function after a module was imported."""

    def __init__(self) -> None:
        """Waits for nothing yet."""
        self._waiting: dict[str, Callable[[Any], None]] = {}

    def call(self, name: str, function: Callable[[Any], None]) -> None:
        """Has a function called with a module."""
        self._waiting[name] = function

    def watch(self) -> None:
        """Looks at the imports of this process from now on.

        What is imported already is taken at once. Of two that wait for the same
        module, the later one calls last.
        """
        for name in [one for one in self._waiting if one in sys.modules]:
            _call(self._waiting.pop(name), sys.modules[name])
        sys.meta_path.insert(0, self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Finds a module as it would be found without this."""
        del path, target
        function = self._waiting.pop(fullname, None)
        if function is None:
            return None
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        spec.loader = _CallingLoader(spec.loader, function)
        return spec


class _CallingLoader(importlib.abc.Loader):
    """A loader that calls a function when it is done."""

    def __init__(self, loader: Any, function: Callable[[Any], None]) -> None:
        self._loader = loader
        self._function = function

    def create_module(
        self, spec: importlib.machinery.ModuleSpec
    ) -> types.ModuleType | None:
        """Creates the module as its own loader does."""
        module: types.ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Executes the module; it has its own loader."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        _call(self._function, module)


def _call(function: Callable[[Any], None], module: types.ModuleType) -> None:
    try:
        function(module)
    except Exception as error:
        print(
            f"regress: {module.__name__} is not observed: {error!r}",
            file=sys.stderr,
        )
