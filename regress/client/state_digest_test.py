"""Tests of the digests of what a program saves and loads."""

import argparse
import io
import random
import subprocess
import sys
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch
from absl.testing import absltest, parameterized

from regress.client import state_digest


def _names(state: object) -> dict[str, str]:
    return {one.name: one.description for one in state_digest.digest(state)}


class StateDigestTest(parameterized.TestCase):
    def test_names_and_describes_entries(self) -> None:
        state = {
            "model": {"w": torch.zeros(2, 3, dtype=torch.bfloat16)},
            "optimizer": {"state": {0: {"step": torch.tensor(4.0)}}},
            "lists": [torch.zeros(2), 3],
            "rates": [0.1, 0.2],
            "args": argparse.Namespace(seed=1),
            "empty": {},
            "array": np.arange(4),
        }
        self.assertEqual(
            _names(state),
            {
                "model/w": "bfloat16[2, 3]",
                "optimizer/state/0/step": "4.0",
                "lists/0": "float32[2]",
                "lists/1": "3",
                "rates": "[0.1, 0.2]",
                "args/seed": "1",
                "empty": "{}",
                "array": "int64[4]",
            },
        )

    @parameterized.parameters(
        (torch.zeros(2), torch.zeros(2, 1)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0000002])),
        (torch.tensor([0.0, 1.0]), torch.tensor([-0.0, 1.0])),
        (np.zeros(2), np.ones(2)),
        (1, 1.0),
        ("1", 1),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"b": 1}),
        (b"a", b"b"),
        (io.BytesIO(b"a"), io.BytesIO(b"b")),
    )
    def test_what_differs_has_another_digest(
        self, one: object, other: object
    ) -> None:
        self.assertNotEqual(state_digest.batch(one), state_digest.batch(other))

    @parameterized.parameters(
        (
            torch.arange(6).reshape(2, 3).t(),
            torch.tensor([[0, 3], [1, 4], [2, 5]]),
        ),
        (torch.arange(6)[::2], torch.tensor([0, 2, 4])),
        (torch.zeros(2, requires_grad=True), torch.zeros(2)),
        (object(), object()),
        (float("nan"), float("nan")),
        (torch.eye(2).to_sparse(), torch.eye(2).to_sparse()),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    )
    def test_what_is_the_same_has_the_same(
        self, one: object, other: object
    ) -> None:
        self.assertEqual(state_digest.batch(one), state_digest.batch(other))

    def test_looking_changes_nothing(self) -> None:
        param = torch.nn.Parameter(torch.ones(3))
        (param * 2).sum().backward()
        before = torch.get_rng_state(), random.getstate()
        state_digest.digest({"param": param, "streams": before})
        state_digest.random_streams()
        self.assertTrue(param.requires_grad)
        torch.testing.assert_close(torch.get_rng_state(), before[0])
        self.assertEqual(random.getstate(), before[1])

    def test_each_stream_has_its_own(self) -> None:
        draws: dict[str, Callable[[], object]] = {
            "Python": random.random,
            "numpy": np.random.random,
            "torch": lambda: torch.rand(1),
        }
        for name, draw in draws.items():
            before = state_digest.random_streams()
            draw()
            after = state_digest.random_streams()
            self.assertEqual(
                [one for one in before if before[one] != after[one]], [name]
            )

    def test_needs_no_torch(self) -> None:
        script = (
            "import sys; from regress.client import state_digest as s; "
            "s.random_streams(); s.digest({'a': [1]}); "
            "assert not {'torch', 'numpy'} & sys.modules.keys()"
        )
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": ":".join(sys.path)},
            check=True,
        )

    def test_a_state_is_cut_at_a_bound(self) -> None:
        with mock.patch.object(state_digest, "MOST_ENTRIES", 3):
            self.assertLen(state_digest.digest({at: at for at in range(9)}), 3)

    def test_the_samples_of_a_batch_are_told_apart_from_its_number(
        self,
    ) -> None:
        samples = torch.arange(4.0)
        one, other = (
            state_digest.batch([[samples], number]) for number in (1, 2)
        )
        self.assertNotEqual(one, other)
        self.assertEqual(one.partition("+")[0], other.partition("+")[0])
        self.assertEqual(one.partition("+")[0], state_digest.batch([[samples]]))
        self.assertNotEqual(
            one, state_digest.batch([[torch.arange(1.0, 5.0)], 1])
        )


if __name__ == "__main__":
    absltest.main()
