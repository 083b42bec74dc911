"""Tests for groups that share their connections, in processes over gloo."""

import multiprocessing
import pathlib
from typing import Any

import torch
from absl.testing import absltest

from regress.trainer import shared_groups

_FORK = multiprocessing.get_context("fork")
_RANKS = 3


def _rank(rank: int, store: str, said: Any) -> None:
    shared_groups.apply()
    for job in ("first", "second"):
        torch.distributed.init_process_group(
            "gloo",
            init_method=f"file://{store}_{job}",
            rank=rank,
            world_size=_RANKS,
        )
        said.put((job, rank, _use()))
        torch.distributed.destroy_process_group()


def _use() -> list[Any]:
    """Makes groups, and returns which are one, and what they compute."""
    rank = torch.distributed.get_rank()
    everybody = [
        torch.distributed.new_group(),
        torch.distributed.new_group(ranks=[0, 1, 2], group_desc="all"),
        torch.distributed.new_group(ranks=[2, 0, 1]),
    ]
    pairs = [torch.distributed.new_group(ranks=[0, 2]) for _ in range(2)]
    alone = [
        [torch.distributed.new_group(ranks=[one]) for one in range(_RANKS)]
        for _ in range(2)
    ]
    used = [everybody[2], alone[1][rank], *(pairs[1:] if rank != 1 else [])]
    sums = []
    for group in used:
        number = torch.tensor([10.0**rank])
        torch.distributed.all_reduce(number, group=group)
        sums.append(number.item())
    outsider = torch.distributed.GroupMember.NON_GROUP_MEMBER
    return [
        {id(one) for one in everybody} == {id(torch.distributed.group.WORLD)},
        pairs[0] is pairs[1],
        alone[0] == alone[1],
        [one is not outsider for one in alone[0]],
        (pairs[0] is outsider) == (rank == 1),
        sums,
    ]


class SharedGroupsTest(absltest.TestCase):
    def test_the_same_ranks_are_one_group(self) -> None:
        store = pathlib.Path(self.create_tempdir().full_path) / "store"
        said = _FORK.SimpleQueue()
        processes = [
            _FORK.Process(target=_rank, args=(rank, str(store), said))
            for rank in range(_RANKS)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        self.assertEqual({process.exitcode for process in processes}, {0})
        sums = {0: [111, 1, 101], 1: [111, 10], 2: [111, 100, 101]}
        self.assertEqual(
            sorted(said.get() for _ in range(2 * _RANKS)),
            [
                (
                    job,
                    rank,
                    [
                        *(True, True, True),
                        [one == rank for one in range(_RANKS)],
                        True,
                        sums[rank],
                    ],
                )
                for job in ("first", "second")
                for rank in range(_RANKS)
            ],
        )


if __name__ == "__main__":
    absltest.main()
