"""Tests with checkpoints that megatron-core writes, split in different ways.

The state is a small one, as its tensor parallelism splits it; what writes it is
megatron-core's own `torch_dist`, on a CPU.
"""

import faulthandler
import os
import pathlib

from regress.trainer import no_compile

no_compile.apply()

import torch  # noqa: E402
from absl.testing import absltest  # noqa: E402
from megatron.core import dist_checkpointing  # noqa: E402
from megatron.core.dist_checkpointing.strategies import (  # noqa: E402
    filesystem_async,
)
from torch import distributed  # noqa: E402
from torch.multiprocessing.spawn import start_processes  # noqa: E402

from regress.ckpt import difference, formats  # noqa: E402

# A rank that takes longer says where it is, and ends.
_SECONDS = 200

_SPLIT = ("embedding.word_embeddings.weight", "decoder.layers.0.mlp.weight")
_REPLICATED = "decoder.final_layernorm.weight"


def _save(rank: int, ranks: int, folder: pathlib.Path, changed: bool) -> None:
    """Saves what a rank has; runs in a process of its own.

    Args:
        rank: The rank.
        ranks: Over how many ranks tensors are split.
        folder: Where to.
        changed: Whether one element is another, of the second half.
    """
    # megatron-core has a process for its queue, and keeps the first one. A
    # process that is spawned imports torch anew. This rank has no thread yet.
    filesystem_async.get_write_results_queue("fork")
    faulthandler.dump_traceback_later(_SECONDS, exit=True)
    # What it asks of a GPU without having any state there.
    torch.cuda.synchronize = lambda *unused: None
    torch.cuda.current_device = lambda: torch.device("cpu")  # type: ignore[assignment, return-value]
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}.store",
        rank=rank,
        world_size=ranks,
    )
    folder.mkdir(exist_ok=True)
    split = dist_checkpointing.ShardedTensor.from_rank_offsets
    state = {
        "iteration": 20,
        _REPLICATED: split(_REPLICATED, torch.ones(4), replica_id=rank),
    }
    for name in _SPLIT:
        whole = torch.arange(32.0).reshape(8, 4) + len(name)
        if changed and name == _SPLIT[1]:
            whole[5, 2] = 0
        own = whole.chunk(ranks)[rank].clone()
        state[name] = split(name, own, (0, rank, ranks))
    dist_checkpointing.save(state, folder)
    distributed.destroy_process_group()


class TorchDistTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def save(self, ranks: int, name: str, *, changed: bool = False) -> None:
        # A fork has all imported. This process has no other thread.
        start_processes(
            _save,
            (ranks, self.folder / name, changed),
            nprocs=ranks,
            start_method="fork",
        )

    def test_names_and_indices_are_those_of_the_whole_model(self) -> None:
        self.save(1, "one")
        self.save(2, "two")
        self.save(1, "changed", changed=True)
        one, two, changed = (
            formats.find(self.folder / name)
            for name in ("one", "two", "changed")
        )
        self.assertEqual(one.format, "torch.distributed.checkpoint")
        self.assertLen(list((self.folder / "one").glob("*.distcp")), 1)
        self.assertLen(list((self.folder / "two").glob("*.distcp")), 2)

        same = difference.compare(one, two)
        self.assertEmpty(same.differences)
        self.assertContainsSubset({*_SPLIT, _REPLICATED}, {*one.parts[""]()})
        self.assertEqual(same.common, sum(same.names.values()))
        self.assertEqual(same.bytes, (2 * 32 + 4) * 4)
        self.assertEmpty(same.left_out)

        (found,) = difference.compare(two, changed).differences
        self.assertEqual(found.name, _SPLIT[1])
        assert found.elements is not None
        self.assertEqual(found.elements.differing, 1)
        self.assertEqual(found.elements.first_index, (5, 2))


if __name__ == "__main__":
    absltest.main()
