"""Tests with checkpoints that ranks of FSDP save, split in different ways."""

import os
import pathlib
from typing import Any

import torch
from absl.testing import absltest
from torch import distributed, nn
from torch.distributed import device_mesh, fsdp
from torch.distributed.checkpoint import (
    state_dict,
    state_dict_loader,
    state_dict_saver,
)
from torch.multiprocessing.spawn import start_processes

from regress.ckpt import difference, formats, place

# Two ranks split the first evenly, and the second not.
_SIZES = (8, 5)


def _train(
    rank: int, ranks: int, folder: pathlib.Path, load_from: str, save_to: str
) -> None:
    """Trains from nothing or loads, and saves; runs in a process of its own.

    A rank that is not the first changes a moment that it has loaded.
    """
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder / save_to}.store",
        rank=rank,
        world_size=ranks,
    )
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(*_SIZES), nn.Linear(*_SIZES[::-1]))
    mesh = device_mesh.init_device_mesh("cpu", (ranks,))
    for module in (*model, model):
        fsdp.fully_shard(module, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    # Moments are there after a step.
    model(torch.ones(2, _SIZES[0])).sum().backward()
    optimizer.step()
    of_model, of_optimizer = state_dict.get_state_dict(model, optimizer)
    content = {"model": of_model, "optim": of_optimizer, "iteration": 1}
    if load_from:
        state_dict_loader.load(content, checkpoint_id=folder / load_from)
        if rank:
            states: Any = of_optimizer["state"]
            states["0.weight"]["exp_avg"].to_local()[0, 0] += 1
    state_dict_saver.save(content, checkpoint_id=folder / save_to)
    distributed.destroy_process_group()


class FsdpTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.save(2, "two")

    def save(self, ranks: int, name: str, load_from: str = "") -> None:
        # A fork has torch imported. This process has no other thread.
        start_processes(
            _train,
            (ranks, self.folder, load_from, name),
            nprocs=ranks,
            start_method="fork",
        )

    def compare(self, name: str) -> difference.Comparison:
        """Compares another checkpoint with the one of two ranks."""
        return difference.compare(
            formats.find(self.folder / "two"), formats.find(self.folder / name)
        )

    def test_names_survive_another_split(self) -> None:
        self.save(1, "one", load_from="two")
        # Each rank has its file.
        self.assertLen(list((self.folder / "two").glob("*.distcp")), 2)
        self.assertLen(list((self.folder / "one").glob("*.distcp")), 1)
        found = self.compare("one")
        self.assertEmpty(found.differences)
        self.assertEqual(found.common, sum(found.names.values()))
        # Weights and biases, and two moments of each.
        self.assertEqual(found.names[place.Place("weights")], 4)
        self.assertEqual(found.names[place.Place("moments")], 8)

    def test_what_differs_has_its_index_in_the_whole(self) -> None:
        self.save(2, "other", load_from="two")
        (one,) = self.compare("other").differences
        self.assertEqual(one.name, "optim.state.0.weight.exp_avg")
        assert one.elements is not None
        self.assertEqual(one.elements.differing, 1)
        # The first rank has three of five rows.
        self.assertEqual(one.elements.first_index, (3, 0))


if __name__ == "__main__":
    absltest.main()
