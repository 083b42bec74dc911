"""Tests for connecting ranks, in separate processes over gloo."""

import multiprocessing
import pathlib
from typing import Any
from unittest import mock

import torch
from absl.testing import absltest, parameterized
from megatron.core import parallel_state

from regress.trainer import connections

_FORK = multiprocessing.get_context("fork")


def _rank(rank: int, stages: int, store: str, said: Any) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=stages
    )
    parallel_state.initialize_model_parallel(
        pipeline_model_parallel_size=stages, create_gloo_process_groups=False
    )
    with (
        mock.patch.object(
            torch.distributed, "send", side_effect=torch.distributed.send
        ) as send,
        mock.patch.object(
            torch.distributed,
            "all_reduce",
            side_effect=torch.distributed.all_reduce,
        ) as all_reduce,
    ):
        connections.establish(torch.device("cpu"))
    said.put(
        (
            rank,
            [call.kwargs["group_dst"] for call in send.mock_calls],
            sorted(
                torch.distributed.get_process_group_ranks(call.kwargs["group"])
                for call in all_reduce.mock_calls
            ),
        )
    )
    torch.distributed.destroy_process_group()


class ConnectionsTest(parameterized.TestCase):
    # Includes odd pipelines, where two neighbours both send first.
    @parameterized.parameters(1, 2, 3, 4)
    def test_talks_to_everybody_that_a_step_talks_to(self, stages: int) -> None:
        store = pathlib.Path(self.create_tempdir().full_path) / "store"
        said = _FORK.SimpleQueue()
        processes = [
            _FORK.Process(target=_rank, args=(rank, stages, str(store), said))
            for rank in range(stages)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        self.assertEqual({process.exitcode for process in processes}, {0})
        found = sorted(said.get() for _ in processes)
        everybody = list(range(stages))
        for rank, sent_to, groups in found:
            self.assertEqual(
                sent_to, [(rank + 1) % stages] if stages > 1 else []
            )
            # The world, the model-parallel group, this rank's data-parallel
            # group, and the two ends, which share the embedding.
            ends = [[0, stages - 1]] if stages > 1 else [[0]]
            self.assertEqual(
                groups,
                sorted(
                    [everybody, everybody, [rank]]
                    + (ends if rank in (0, stages - 1) else [])
                ),
            )


if __name__ == "__main__":
    absltest.main()
