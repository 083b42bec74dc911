"""Tests for difference."""

import dataclasses
import math
import pathlib
import weakref
from typing import Any

import numpy as np
import torch
from absl.testing import absltest

from regress.ckpt import difference, entry, errors, flatten, formats


def _checkpoint(**ranks: Any) -> formats.Checkpoint:
    def opening(name: str) -> Any:
        return lambda: flatten.flatten(ranks[name], name)

    return formats.Checkpoint(
        pathlib.Path("x"), "made up", {name: opening(name) for name in ranks}
    )


def _diff(a: Any, b: Any) -> difference.Comparison:
    return difference.compare(_checkpoint(r=a), _checkpoint(r=b))


class DifferenceTest(absltest.TestCase):
    def test_the_same_is_the_same(self) -> None:
        tensor = torch.tensor([math.nan, 1.0])
        content = {
            "w": tensor,
            "x": math.nan,
            "y": [1, 2],
            "z": None,
        }
        found = _diff(content, {**content, "w": tensor.clone()})
        self.assertTrue(found.same)
        self.assertEqual(found.common, 4)
        self.assertEqual(found.bytes, 24)
        self.assertEqual(set(found.counts().values()), {0})

    def test_each_kind_of_difference_is_found(self) -> None:
        kind = difference.Kind
        for a, b, expected in (
            ({"x": 1}, {}, (kind.ONLY_IN_A, "int 1", "")),
            ({}, {"x": 1}, (kind.ONLY_IN_B, "", "int 1")),
            ({"x": 1}, {"x": True}, (kind.TYPE, "int 1", "bool True")),
            ({"x": 1}, {"x": 1.0}, (kind.TYPE, "int 1", "float 1.0")),
            ({"x": 1}, {"x": 2}, (kind.VALUE, "1", "2")),
            ({"x": 0.0}, {"x": -0.0}, (kind.VALUE, "0.0", "-0.0")),
            ({"x": "a"}, {"x": "b"}, (kind.VALUE, "a", "b")),
            ({"x": {}}, {"x": []}, (kind.TYPE, "dict empty", "list empty")),
            (
                {"x": torch.ones(2)},
                {"x": torch.ones(2).half()},
                (kind.TYPE, "float32 [2]", "float16 [2]"),
            ),
            (
                {"x": torch.ones(2)},
                {"x": torch.ones(2, 1)},
                (kind.SHAPE, "float32 [2]", "float32 [2, 1]"),
            ),
            (
                {"x": torch.tensor(1)},
                {"x": 1},
                (kind.TYPE, "int64 []", "int 1"),
            ),
        ):
            with self.subTest(a=a, b=b):
                found = _diff({"y": 0, **a}, {"y": 0, **b})
                self.assertFalse(found.same)
                (one,) = found.differences
                self.assertEqual(
                    one,
                    difference.Difference("r/x", *expected, where=one.where),
                )
                # y is no float, either.
                self.assertEqual(sum(found.names.values()), 2)
                self.assertEqual(found.counts()[expected[0]], 1)

    def test_a_file_beside_that_cannot_be_read_is_left_out(self) -> None:
        def refuse() -> dict[str, entry.Entry]:
            raise errors.CkptError("x.bin cannot be read: it holds a Trainer.")

        whole = _checkpoint(w={"x": 1}, x={"x": 1})
        broken = dataclasses.replace(whole, parts={**whole.parts, "x": refuse})
        with self.assertRaises(errors.CkptError):
            difference.compare(whole, broken)
        for a, b in ((whole, broken), (broken, whole)):
            a = dataclasses.replace(a, beside=frozenset({"x"}))
            found = difference.compare(a, b)
            self.assertTrue(found.same)
            self.assertEqual(found.common, 1)
            self.assertEqual(
                found.left_out,
                {"x": "x.bin cannot be read: it holds a Trainer."},
            )

    def test_the_first_element_that_differs_is_told(self) -> None:
        a = torch.zeros(3, 4)
        b = a.clone()
        b[1, 2], b[2, 0] = 2**-149, 2**-148
        found = _diff({"w": a}, {"w": b})
        (one,) = found.differences
        self.assertEqual(
            (one.a, one.b, one.elements),
            ("0.0", "1e-45", difference.Elements(12, 2, (1, 2), 2)),
        )

    def test_a_number_of_no_dimension_has_an_index(self) -> None:
        (one,) = _diff(
            {"w": torch.tensor(1)}, {"w": torch.tensor(2)}
        ).differences
        self.assertEqual(
            (one.a, one.b, one.elements),
            ("1", "2", difference.Elements(1, 1, (), None)),
        )

    def test_values_that_look_alike_are_told_with_their_bits(self) -> None:
        nans = torch.tensor([0x7FC00000, 0x7FC00001], dtype=torch.int32)
        a, b = nans.view(torch.float32).chunk(2)
        (one,) = _diff({"w": a}, {"w": b}).differences
        self.assertEqual(
            (one.a, one.b), ("nan (0x0000c07f)", "nan (0x0100c07f)")
        )

    def test_ranks_are_compared_rank_by_rank(self) -> None:
        found = difference.compare(
            _checkpoint(r0={"x": 1}, r1={"x": 2}, r2={"x": 3}),
            _checkpoint(r0={"x": 1}, r1={"x": 9}, r3={"x": 3}),
        )
        self.assertEqual(
            [(one.name, one.kind) for one in found.differences],
            [
                ("r1/x", difference.Kind.VALUE),
                ("r2/x", difference.Kind.ONLY_IN_A),
                ("r3/x", difference.Kind.ONLY_IN_B),
            ],
        )
        self.assertEqual(found.common, 2)

    def test_one_array_of_each_side_is_held_at_a_time(self) -> None:
        alive: set[int] = set()
        most = 0

        def read() -> entry.Bytes:
            nonlocal most
            elements = np.zeros(8, np.uint8)
            number = id(elements)
            alive.add(number)
            weakref.finalize(elements, alive.discard, number)
            most = max(most, len(alive))
            return elements

        array = entry.Array("uint8", (8,), 1, read)
        one = formats.Checkpoint(
            pathlib.Path("x"),
            "made up",
            {"": lambda: {str(n): array for n in range(5)}},
        )
        self.assertTrue(difference.compare(one, one).same)
        self.assertEqual(most, 2)


if __name__ == "__main__":
    absltest.main()
