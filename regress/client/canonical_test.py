"""Tests of the form of a value that its digest is made of."""

import enum
import io
import subprocess
import sys

import numpy as np
import torch
from absl.testing import absltest, parameterized

from regress.client import canonical


class _Colour(enum.Enum):
    RED = 1


class CanonicalTest(parameterized.TestCase):
    # Goldens hold such digests. These were made by sha256sum, as in
    # printf 'tuple0.9|0.95' | sha256sum.
    @parameterized.parameters(
        (3, "c57cb8dbe2abdb37124ab9fe9ad3a564", "3"),
        (0.1, "1360711da70f8058780d855d3d4fbf64", "0.1"),
        ("ab", "f819eec1872667b15a277dc4313ef8ba", "'ab'"),
        ((0.9, 0.95), "470b6ab89c37c15c6b32b4a9d014fb41", "0.9|0.95"),
        ([1, (2,)], "c8da745cb0fdc2eb8e6802d93fb8e187", "[1, (2,)]"),
        (torch.tensor(0.5), "3b0ee33c51e7a5d5abc04d00ea94f6f6", "0.5"),
        (
            torch.tensor([1, 2]),
            "9bf76b0f274eacdf089e9916275e122d",
            "int64[2]",
        ),
        (
            torch.tensor([1.0, -2.0], dtype=torch.bfloat16),
            "d5b1f0c907e451dd17498e88d7e7a7b5",
            "bfloat16[2]",
        ),
        # An array in a tuple is the SHA-256 of its bytes, in hex.
        (
            (1, np.array([1], "int32")),
            "df3f16edb95ac414d87f8b2f2dd92edf",
            "tuple",
        ),
    )
    def test_the_form_stays(
        self, value: object, digest: str, description: str
    ) -> None:
        self.assertEqual(canonical.digest(value), (digest, description))

    @parameterized.parameters(
        (torch.zeros(2), torch.zeros(2, 1)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0000002])),
        (torch.tensor([0.0, 1.0]), torch.tensor([-0.0, 1.0])),
        (torch.tensor(0.0), torch.tensor(-0.0)),
        (np.zeros(2), np.ones(2)),
        (np.array([{1}]), np.array([{2}])),
        (1, 1.0),
        ("1", 1),
        ("at 0x1f", "at 0x2f"),
        ([1, 2], [2, 1]),
        ([1, 2], (1, 2)),
        ([[1], 2], [[1, 2]]),
        ({"a": [torch.zeros(2)]}, {"a": [torch.ones(2)]}),
        (([np.zeros(9999)],), ([np.ones(9999)],)),
        ({"a", "b"}, {"a", "c"}),
        (_Colour.RED, 1),
        (b"a", b"b"),
        (io.BytesIO(b"a"), io.BytesIO(b"b")),
    )
    def test_what_differs_has_another_form(
        self, one: object, other: object
    ) -> None:
        self.assertNotEqual(canonical.digest(one), canonical.digest(other))

    @parameterized.parameters(
        (
            torch.arange(6).reshape(2, 3).t(),
            torch.tensor([[0, 3], [1, 4], [2, 5]]),
        ),
        (torch.arange(6)[::2], torch.tensor([0, 2, 4])),
        (torch.zeros(2, requires_grad=True), torch.zeros(2)),
        (torch.tensor([1 + 2j, 4 + 3j]).conj(), torch.tensor([1 - 2j, 4 - 3j])),
        (torch.eye(2).to_sparse(), torch.eye(2).to_sparse()),
        (torch.arange(4), np.arange(4)),
        (object(), object()),
        ([object()], [object()]),
        (float("nan"), float("nan")),
    )
    def test_what_is_the_same_has_the_same(
        self, one: object, other: object
    ) -> None:
        self.assertEqual(canonical.digest(one), canonical.digest(other))

    def test_the_order_of_a_set_does_not_count(self) -> None:
        script = (
            "from regress.client import canonical as c;"
            "print(c.digest(set('abcdefgh')), c.digest([{'x', 'y', 'z'}]))"
        )
        said = {
            subprocess.check_output(
                [sys.executable, "-c", script],
                env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            )
            for seed in "12345"
        }
        self.assertLen(said, 1)


if __name__ == "__main__":
    absltest.main()
