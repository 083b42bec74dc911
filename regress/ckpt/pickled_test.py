"""Tests for pickled."""

import argparse
import datetime
import enum
import io
import os
import pathlib
import signal
import sys
import types
from typing import Any
from unittest import mock

import numpy as np
import torch
from absl.testing import absltest

from regress.ckpt import errors, flatten, pickled


def _imported(module: types.ModuleType) -> Any:
    """Lets a module, and the packages that it is in, pass for imported."""
    name, found = module.__name__, {module.__name__: module}
    while package := name.rpartition(".")[0]:
        found[package] = types.ModuleType(package)
        name = package
    return mock.patch.dict(sys.modules, found)


class PickledTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._path = pathlib.Path(self.create_tempdir().full_path, "x.pt")

    def _refusal(self) -> str:
        with self.assertRaises(errors.CkptError) as refused:
            pickled.read(self._path)
        message = str(refused.exception)
        # torch's own advice would run what the file holds.
        self.assertNotIn("weights_only", message)
        self.assertStartsWith(message, f"{self._path} cannot be read: ")
        return message

    def test_random_states_and_arguments_are_read(self) -> None:
        state = np.random.RandomState(1).get_state()
        torch.save(
            {
                "numpy": state,
                "args": argparse.Namespace(x=1),
                "scalar": np.float32(2),
                "set": {1},
                "extra": io.BytesIO(b"ab"),
            },
            self._path,
        )
        read = pickled.read(self._path)
        np.testing.assert_array_equal(read["numpy"][1], state[1])
        self.assertEqual(read["args"], argparse.Namespace(x=1))
        self.assertEqual(read["scalar"], np.float32(2))
        self.assertEqual(read["set"], {1})
        self.assertEqual(read["extra"].getvalue(), b"ab")

    def test_a_signal_among_the_arguments_is_read(self) -> None:
        torch.save({"exit_signal": signal.SIGTERM}, self._path)
        read = pickled.read(self._path)["exit_signal"]
        self.assertEqual(
            read.content(), {"signal.Signals": [signal.SIGTERM.value]}
        )

    def test_a_tensor_is_mapped(self) -> None:
        torch.save({"x": torch.zeros(2**20)}, self._path)
        before = pickled.read(self._path)["x"]
        content = self._path.read_bytes()
        at = content.rindex(b"\0" * 4096)
        with open(self._path, "r+b") as file:
            file.seek(at)
            file.write(b"\1")
        # A copy would not see what is written after it was read.
        self.assertEqual(torch.count_nonzero(before), 1)

    def test_the_format_before_torch_1_6_is_read(self) -> None:
        torch.save(
            {"x": torch.ones(3)},
            self._path,
            _use_new_zipfile_serialization=False,
        )
        self.assertEqual(
            self._path.read_bytes()[: len(pickled.OLD_MAGIC)], pickled.OLD_MAGIC
        )
        self.assertEqual(pickled.read(self._path)["x"].tolist(), [1, 1, 1])

    def test_other_types_are_refused_by_name(self) -> None:
        torch.save({"when": datetime.date(2026, 1, 1)}, self._path)
        self.assertIn("it holds datetime.date; expected", self._refusal())
        content = self._path.read_bytes()
        with self.assertRaisesRegex(
            errors.CkptError, r"^the value cannot be read: it holds datetime"
        ):
            pickled.parse(content, "the value")

    def test_code_is_not_run(self) -> None:
        bait = self._path.parent / "bait"

        class Payload:
            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(bait),)

        torch.save(Payload(), self._path)
        self.assertIn("posix.mkdir", self._refusal())
        self.assertFalse(bait.exists())

    def test_megatrons_enums_are_compared_without_megatron(self) -> None:
        name = "megatron.core.made_up"
        module = types.ModuleType(name)

        class Backend(enum.Enum):
            AUTO = 5

        Backend.__module__, Backend.__qualname__ = name, "Backend"
        vars(module)["Backend"] = Backend
        with _imported(module):
            torch.save({"backend": Backend.AUTO}, self._path)
        flat = flatten.flatten(pickled.read(self._path))
        self.assertEqual(
            {path: one.describe() for path, one in flat.items()},
            {f"backend/{name}.Backend": "list of int [1]"},
        )

    def test_megatrons_functions_are_not_called(self) -> None:
        name = "megatron.core.made_up"
        calls: list[str] = []
        module = types.ModuleType(name)

        def function(argument: str) -> None:
            calls.append(argument)

        function.__module__, function.__qualname__ = name, "function"
        vars(module)["function"] = function

        class Payload:
            def __reduce__(self) -> tuple[Any, ...]:
                return function, ("x",)

        with _imported(module):
            torch.save({"a": Payload()}, self._path)
            flat = flatten.flatten(pickled.read(self._path))
        self.assertEqual(list(flat), [f"a/{name}.function/0"])
        self.assertEmpty(calls)

    def test_torchscript_is_refused(self) -> None:
        torch.jit.trace(torch.nn.Linear(1, 1), torch.ones(1)).save(self._path)
        self.assertIn("TorchScript", self._refusal())

    def test_a_damaged_file_is_refused(self) -> None:
        torch.save({"x": torch.ones(1000)}, self._path)
        content = self._path.read_bytes()
        for size in (0, 10, 1000, len(content) - 1):
            with self.subTest(size=size):
                self._path.write_bytes(content[:size])
                self._refusal()
        self._path.unlink()
        self.assertIn("No such file", self._refusal())


if __name__ == "__main__":
    absltest.main()
