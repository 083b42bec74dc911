"""Tests for safetensors_file."""

import json
import pathlib
from typing import Any

import numpy as np
from absl.testing import absltest, parameterized

from regress.ckpt import entry, errors, safetensors_file


def _content(header: Any, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def _tensor(
    dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)
) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


class SafetensorsFileTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._path = pathlib.Path(
            self.create_tempdir().full_path, "x.safetensors"
        )

    def test_tensors_and_notes_are_read(self) -> None:
        header = {
            "__metadata__": {"format": "pt"},
            "w": _tensor("BF16", (1, 2), (3, 7)),
            "empty": _tensor("F32", (0, 2), (7, 7)),
            "flag": _tensor("BOOL", (), (0, 1)),
        }
        self._path.write_bytes(_content(header, bytes(range(7))))
        flat = safetensors_file.read(self._path)
        self.assertEqual(
            {name: one.describe() for name, one in flat.items()},
            {
                "__metadata__/format": "str pt",
                "w": "bfloat16 [1, 2]",
                "empty": "float32 [0, 2]",
                "flag": "bool []",
            },
        )
        for name, content in (
            ("w", [3, 4, 5, 6]),
            ("empty", []),
            ("flag", [0]),
        ):
            one = flat[name]
            assert isinstance(one, entry.Array)
            self.assertEqual(one.read().tolist(), content)
        one = flat["w"]
        assert isinstance(one, entry.Array)
        self.assertIsInstance(one.read(), np.memmap)

    @parameterized.parameters(
        (b"", "its header has 0 bytes; expected at most 0"),
        (b"\xff" * 20, "its header has 18446744073709551615 bytes"),
        (b"\x05" + b"\0" * 7 + b"{abc}", "its header is no JSON"),
        (_content([1], b""), "its header is no table"),
        (_content({"w": 1}, b""), "w has no type, shape and range"),
        (_content({"w": _tensor(shape=(-2,))}, b"a" * 8), "w has no type"),
        (_content({"w": _tensor(shape=(2.0,))}, b"a" * 8), "w has no type"),
        (_content({"w": _tensor(offsets=(0,))}, b"a" * 8), "w has no type"),
        (
            _content({"w": _tensor(offsets=(0, 7))}, b"a" * 8),
            r"w has bytes 0 to 7 of 8; expected 8 bytes for float32 \[2\]",
        ),
        (_content({"w": _tensor()}, b"a" * 7), "w has bytes 0 to 8 of 7"),
        (_content({"w": _tensor("F4")}, b"a" * 8), "w is of type F4; expected"),
    )
    def test_what_is_damaged_is_refused(self, content: bytes, why: str) -> None:
        self._path.write_bytes(content)
        with self.assertRaisesRegex(errors.CkptError, f"x.safetensors .*{why}"):
            safetensors_file.read(self._path)

    def test_a_missing_file_is_refused(self) -> None:
        with self.assertRaisesRegex(errors.CkptError, "No such file"):
            safetensors_file.read(self._path)


if __name__ == "__main__":
    absltest.main()
