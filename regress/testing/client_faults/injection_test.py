"""Tests for injection.py and checkpoint.py, with a torch that is none."""

import types
from typing import Any

from absl.testing import absltest

from regress.testing.client_faults import checkpoint, injection


def _state() -> dict[str, Any]:
    return {
        "model": {"weight": [1]},
        "optimizer": {"state": {0: {"step": 3}}, "param_groups": [{"lr": 1}]},
        "step": 16,
        "data_position": 256,
        "schedule_updates": 16,
        "random_states": ["stream 0", "stream 1"],
    }


class InjectionTest(absltest.TestCase):
    def test_changes_what_is_loaded(self) -> None:
        torch = types.SimpleNamespace(load=lambda path: _state())
        injection.loaded(lambda one: one.skip_batches(-1))(torch)
        # Two ranks read eight samples each.
        self.assertEqual(torch.load("ckpt.pt")["data_position"], 256 - 16)

    def test_changes_it_on_some_ranks(self) -> None:
        torch = types.SimpleNamespace(load=lambda path: _state())
        injection.loaded(lambda one: one.skip_batches(-1), ranks=(1,))(torch)
        self.assertEqual(torch.load("ckpt.pt"), _state())

    def test_leaves_what_is_no_checkpoint(self) -> None:
        torch = types.SimpleNamespace(load=lambda path: {"other": 1})
        injection.loaded(lambda one: one.skip_batches(-1))(torch)
        self.assertEqual(torch.load("ckpt.pt"), {"other": 1})

    def test_changes_what_is_saved_and_not_the_program(self) -> None:
        saved: list[Any] = []
        torch = types.SimpleNamespace(save=lambda obj, path: saved.append(obj))
        injection.saved(lambda one: one.count_updates(-16))(torch)
        state = _state()
        torch.save(state, "ckpt.pt")
        self.assertEqual(saved[0]["schedule_updates"], 0)
        self.assertEqual(state, _state())

    def test_replaces_a_function(self) -> None:
        torch = types.SimpleNamespace(
            nn=types.SimpleNamespace(load=lambda: "loaded")
        )
        injection.replaced("nn", "load", injection.nothing)(torch)
        self.assertIsNone(torch.nn.load())


class CheckpointTest(absltest.TestCase):
    def test_knows_a_checkpoint(self) -> None:
        self.assertTrue(checkpoint.is_one(_state()))
        self.assertFalse(checkpoint.is_one({"model": {}}))
        self.assertFalse(checkpoint.is_one([1]))

    def test_moves_what_lightning_counts(self) -> None:
        one = checkpoint.Checkpoint(
            {
                "pytorch-lightning_version": "2",
                "global_step": 16,
                "lr_schedulers": [{"last_epoch": 16}],
                "loops": {
                    "fit_loop": {
                        "state_dict": {"combined_loader": [{"given": 16}]},
                        "epoch_loop.automatic_optimization.optim_progress": {
                            "optimizer": {"step": {"total": {"ready": 16}}}
                        },
                    }
                },
            }
        )
        one.skip_batches(-1)
        one.count_updates(-2)
        one.count_iterations(-3)
        loops = one.state["loops"]["fit_loop"]
        self.assertEqual(
            loops["state_dict"]["combined_loader"], [{"given": 15}]
        )
        self.assertEqual(one.state["lr_schedulers"], [{"last_epoch": 14}])
        self.assertEqual(one.state["global_step"], 13)
        progress = loops["epoch_loop.automatic_optimization.optim_progress"]
        self.assertEqual(
            progress["optimizer"], {"step": {"total": {"ready": 13}}}
        )


if __name__ == "__main__":
    absltest.main()
