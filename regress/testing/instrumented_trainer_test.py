"""Tests for when the instrumented trainer installs modules."""

import importlib
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

from absl.testing import absltest, flagsaver

from regress.testing import instrumentation


class InstrumentedTrainerTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._calls: list[str] = []
        # The real trainer would import torch.
        self._fake("regress.trainer.main", preload=None, main=5)
        self._fake("first", install=None)
        self._fake("second", install=None, install_early=None)
        self.enter_context(flagsaver.flagsaver())
        self._trainer = importlib.import_module(
            "regress.testing.instrumented_trainer"
        )

    def _fake(self, name: str, **functions: object) -> None:
        """Adds a module whose functions record their calls.

        Args:
            name: The module's name.
            functions: Each function's return value, by name.
        """
        module = types.ModuleType(name)
        for function, result in functions.items():
            setattr(module, function, self._recorded(name, function, result))
        self.enter_context(mock.patch.dict(sys.modules, {name: module}))

    def _recorded(
        self, module: str, function: str, result: object
    ) -> Callable[..., Any]:
        def record(argument: str | Sequence[str]) -> object:
            said = argument if isinstance(argument, str) else ""
            self._calls.append(f"{module}.{function} {said}".strip())
            return result

        return record

    def test_each_is_installed_at_its_time(self) -> None:
        code = self._trainer.main(
            [
                instrumentation.flag("first", "a: b, c"),
                instrumentation.flag("second", "d", early=True),
            ]
        )
        self.assertEqual(code, 5)
        self.assertEqual(
            self._calls,
            [
                "second.install_early d",
                "regress.trainer.main.preload",
                "first.install a: b, c",
                "second.install d",
                "regress.trainer.main.main",
            ],
        )

    def test_a_zygote_imports_and_installs_nothing(self) -> None:
        self._trainer.preload([instrumentation.flag("first")])
        self.assertEqual(self._calls, ["regress.trainer.main.preload"])
        with self.assertRaises(ModuleNotFoundError):
            self._trainer.preload([instrumentation.flag("third")])


if __name__ == "__main__":
    absltest.main()
