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


def _rank(rank: int, stages: int, store: str, trains: bool, said: Any) -> None:
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
        connections.establish(torch.device("cpu"), trains=trains)
    said.put(
        (
            rank,
            [call.kwargs["group_dst"] for call in send.mock_calls],
            sorted(
                torch.distributed.get_process_group_ranks(
                    call.kwargs.get("group")
                )
                for call in all_reduce.mock_calls
            ),
        )
    )
    torch.distributed.destroy_process_group()


def _established(
    folder: pathlib.Path, stages: int, *, trains: bool
) -> list[tuple[int, list[int], list[list[int]]]]:
    """Returns each rank, whom it sent to, and the groups that it reduced in."""
    said = _FORK.SimpleQueue()
    processes = [
        _FORK.Process(
            target=_rank,
            args=(rank, stages, str(folder / "store"), trains, said),
        )
        for rank in range(stages)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    failed = [one.exitcode for one in processes if one.exitcode]
    assert not failed, failed
    return sorted(said.get() for _ in processes)


class ConnectionsTest(parameterized.TestCase):
    # Includes odd pipelines, where two neighbours both send first.
    @parameterized.parameters(1, 2, 3, 4)
    def test_talks_to_everybody_that_a_step_talks_to(self, stages: int) -> None:
        everybody = list(range(stages))
        folder = pathlib.Path(self.create_tempdir().full_path)
        for rank, sent_to, groups in _established(folder, stages, trains=True):
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

    def test_a_rank_that_only_loads_talks_to_all_at_once(self) -> None:
        folder = pathlib.Path(self.create_tempdir().full_path)
        self.assertEqual(
            _established(folder, 2, trains=False),
            [(rank, [], [[0, 1]]) for rank in range(2)],
        )


if __name__ == "__main__":
    absltest.main()
