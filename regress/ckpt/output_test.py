"""Tests for output."""

import json
import pathlib
from typing import Any

import torch
from absl.testing import absltest

from regress.ckpt import difference, flatten, formats, output


def _checkpoint(content: Any, *unread: str) -> formats.Checkpoint:
    return formats.Checkpoint(
        pathlib.Path("/x"),
        "made up",
        {"": lambda: flatten.flatten(content)},
        unread,
    )


_A = _checkpoint(
    {"w": torch.zeros(2, 3), "only": 1, "t": 1, "s": torch.ones(2), "v": "a"}
)
_B = _checkpoint(
    {
        "w": torch.tensor([[0, 0, 2**-149], [0, 0, float("nan")]]),
        "t": "x",
        "s": torch.ones(3),
        "v": "b\nc",
        "more": None,
    },
    "manifest.json",
)

_TEXT = """\
DIFFERENT in 6 names; in both: 4 names, 32 bytes.
A: /x (made up)
B: /x (made up)
Not compared: manifest.json
Differences: 1 only in A, 1 only in B, 1 other type, 1 other shape, \
2 other value.

other value: w
    2 of 6 elements, at most 1 ulp apart; first at [0, 2]: A 0.0, B 1e-45
only in A: only
    int 1
other type: t
    A int 1, B str x
other shape: s
    A float32 [2], B float32 [3]
other value: v
    A a, B b c
only in B: more
    NoneType None"""


class OutputTest(absltest.TestCase):
    def test_a_comparison_as_text(self) -> None:
        self.assertEqual(output.diff_text(difference.compare(_A, _B)), _TEXT)
        self.assertStartsWith(
            output.diff_text(difference.compare(_A, _A)),
            "SAME: 5 names, 32 bytes, bit for bit.\n",
        )
        other = _checkpoint({"x": 1})
        self.assertStartsWith(
            output.diff_text(difference.compare(_A, other)),
            "DIFFERENT: no name is in both.\n",
        )

    def test_a_comparison_as_json(self) -> None:
        found = json.loads(output.diff_json(difference.compare(_A, _B)))
        differences = found.pop("differences")
        self.assertEqual(
            found,
            {
                "verdict": "different",
                "a": {"path": "/x", "format": "made up", "not_read": []},
                "b": {
                    "path": "/x",
                    "format": "made up",
                    "not_read": ["manifest.json"],
                },
                "names_in_both": 4,
                "bytes_in_both": 32,
                "not_compared": {},
                "counts": {
                    "only_in_a": 1,
                    "only_in_b": 1,
                    "other_type": 1,
                    "other_shape": 1,
                    "other_value": 2,
                },
            },
        )
        self.assertEqual(
            differences[:2],
            [
                {
                    "name": "w",
                    "kind": "other_value",
                    "a": "0.0",
                    "b": "1e-45",
                    "elements": 6,
                    "differing": 2,
                    "first_index": [0, 2],
                    "ulps": 1,
                },
                {
                    "name": "only",
                    "kind": "only_in_a",
                    "a": "int 1",
                    "b": None,
                    "elements": None,
                    "differing": None,
                    "first_index": None,
                    "ulps": None,
                },
            ],
        )
        same = json.loads(output.diff_json(difference.compare(_A, _A)))
        self.assertEqual(same["verdict"], "same")
        self.assertEmpty(same["differences"])

    def test_the_text_names_the_first_and_the_json_all(self) -> None:
        names = range(output.MOST_NAMES + 5)
        a = _checkpoint({f"x{n}": 1 for n in names})
        b = _checkpoint({f"x{n}": 2 for n in names})
        found = difference.compare(a, b)
        text = output.diff_text(found)
        self.assertEqual(text.count("other value: x"), output.MOST_NAMES)
        self.assertEndsWith(text, "... and 5 more; --json names all.")
        self.assertLen(
            json.loads(output.diff_json(found))["differences"], len(names)
        )

    def test_long_texts_are_cut_in_the_text_alone(self) -> None:
        found = difference.compare(
            _checkpoint({"n" * 500: "a" * 5000}),
            _checkpoint({"n" * 500: "b" * 5000}),
        )
        self.assertLess(len(output.diff_text(found)), 600)
        (one,) = json.loads(output.diff_json(found))["differences"]
        self.assertEqual((one["name"], one["a"]), ("n" * 500, "a" * 5000))

    def test_one_checkpoint(self) -> None:
        entries = list(_B.parts[""]().items())
        self.assertEqual(
            output.show_text(_B, entries),
            "/x (made up): 5 names, 36 bytes\n"
            "Not read: manifest.json\n"
            "w  float32 [2, 3]\n"
            "t  str x\n"
            "s  float32 [3]\n"
            "v  str b c\n"
            "more  NoneType None",
        )
        shown = json.loads(output.show_json(_B, entries))
        self.assertEqual(shown["format"], "made up")
        self.assertEqual(
            shown["entries"][:2],
            [
                {
                    "name": "w",
                    "type": "float32",
                    "shape": [2, 3],
                    "value": None,
                },
                {"name": "t", "type": "str", "shape": None, "value": "x"},
            ],
        )


if __name__ == "__main__":
    absltest.main()
