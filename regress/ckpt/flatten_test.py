"""Tests for flatten."""

import argparse
import collections
import io
import math
import random
from typing import Any

import numpy as np
import torch
from absl.testing import absltest

from regress.ckpt import entry, flatten


def _texts(content: Any) -> dict[str, str]:
    return {
        name: one.describe() for name, one in flatten.flatten(content).items()
    }


def _bits(value: Any) -> bytes:
    (one,) = flatten.flatten({"x": value}).values()
    assert isinstance(one, entry.Plain)
    return one.bits


class FlattenTest(absltest.TestCase):
    def test_every_value_has_the_path_to_it_as_its_name(self) -> None:
        content = {
            "iteration": 20,
            "args": argparse.Namespace(lr=0.5, name="a\nb", dtype=torch.half),
            "optimizer": collections.OrderedDict(
                state={0: {"step": torch.tensor(3), "m": torch.zeros(2, 3)}},
                groups=[{"params": [0, 1], "betas": (0.9, 0.99)}],
            ),
            "mixed": [1, None, True],
            "empty": [{}, [], (), ""],
        }
        self.assertEqual(
            _texts(content),
            {
                "iteration": "int 20",
                "args/lr": "float 0.5",
                "args/name": "str a\nb",
                "args/dtype": "dtype torch.float16",
                "optimizer/state/0/step": "int64 []",
                "optimizer/state/0/m": "float32 [2, 3]",
                "optimizer/groups/0/params": "list of int [2]",
                "optimizer/groups/0/betas": "list of float [2]",
                "mixed/0": "int 1",
                "mixed/1": "NoneType None",
                "mixed/2": "bool True",
                "empty/0": "dict empty",
                "empty/1": "list empty",
                "empty/2": "tuple empty",
                "empty/3": "str ",
            },
        )

    def test_random_states_are_arrays(self) -> None:
        self.assertEqual(
            _texts(
                {
                    "python": random.getstate()[1],
                    "numpy": np.random.RandomState(1).get_state()[1],
                    "torch": torch.get_rng_state(),
                    "scalar": np.float64(1),
                    "extra": io.BytesIO(b"abc"),
                    "bytes": b"de",
                }
            ),
            {
                "python": "list of int [625]",
                "numpy": "uint32 [624]",
                "torch": f"uint8 {list(torch.get_rng_state().shape)}",
                "scalar": "float64 []",
                "extra": "bytes [3]",
                "bytes": "bytes [2]",
            },
        )

    def test_numbers_too_large_for_an_array_stay_numbers(self) -> None:
        self.assertEqual(
            _texts([2**64, 1]), {"0": f"int {2**64}", "1": "int 1"}
        )

    def test_names_that_are_alike_are_kept_apart(self) -> None:
        self.assertEqual(
            _texts({1: "a", "1": "b", "x/y": "c", "x": {"y": "d"}}),
            {"1": "str a", "1#2": "str b", "x/y": "str c", "x/y#2": "str d"},
        )

    def test_floats_have_the_bits_that_they_are_compared_by(self) -> None:
        self.assertEqual(_bits(math.nan), _bits(math.nan))
        self.assertNotEqual(_bits(0.0), _bits(-0.0))
        self.assertNotEqual(_bits(complex(0.0, 0.0)), _bits(complex(0.0, -0.0)))

    def test_a_view_is_read_in_the_order_of_its_indices(self) -> None:
        whole = torch.arange(6)
        for view, elements in (
            (whole.reshape(2, 3).T, [0, 3, 1, 4, 2, 5]),
            (whole[::2], [0, 2, 4]),
        ):
            (one,) = flatten.flatten(view).values()
            assert isinstance(one, entry.Array)
            self.assertEqual(one.shape, tuple(view.shape))
            self.assertEqual(one.read().view(np.int64).tolist(), elements)

    def test_a_sparse_tensor_is_its_indices_and_values(self) -> None:
        sparse = torch.eye(3).to_sparse()
        self.assertEqual(
            _texts({"x": sparse}),
            {
                "x/shape": "Size torch.Size([3, 3])",
                "x/indices": "int64 [2, 3]",
                "x/values": "float32 [3]",
            },
        )

    def test_what_has_no_name_is_a_dot(self) -> None:
        self.assertEqual(_texts(torch.ones(2)), {".": "float32 [2]"})
        self.assertEqual(_texts({}), {".": "dict empty"})

    def test_what_cannot_be_compared_is_refused(self) -> None:
        loop: list[Any] = [1, "a"]
        loop.append(loop)
        for content, words in (
            (loop, "containers in containers"),
            (torch.eye(3).to_sparse_csr(), "sparse_csr"),
            (torch.empty(3, device="meta"), "without data"),
        ):
            with self.assertRaisesRegex(
                flatten.UnknownValueError, f"^x.*{words}"
            ):
                flatten.flatten({"x": content})


if __name__ == "__main__":
    absltest.main()
