"""Tests of the digests of what a program saves and loads."""

import argparse
import random
import subprocess
import sys
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch
from absl.testing import absltest

from regress.client import state_digest


def _names(state: object) -> dict[str, str]:
    return {one.name: one.description for one in state_digest.digest(state)}


class StateDigestTest(absltest.TestCase):
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

    def test_the_order_of_a_dictionary_does_not_count(self) -> None:
        self.assertEqual(
            state_digest.batch({"a": 1, "b": 2}),
            state_digest.batch({"b": 2, "a": 1}),
        )
        self.assertNotEqual(
            state_digest.batch({"a": 1}), state_digest.batch({"b": 1})
        )

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
