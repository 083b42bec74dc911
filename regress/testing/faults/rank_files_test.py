"""Tests for edits to a checkpoint."""

import pathlib
from typing import Any

import torch
from absl.testing import absltest

from regress.scenario import job_files
from regress.testing.faults import rank_files


class RankFilesTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self._files = job_files.JobFiles(folder / "work", folder / "outputs")
        for rank in (0, 1):
            for iteration in (2, 4):
                path = rank_files.path(self._files, rank, iteration)
                path.parent.mkdir(parents=True)
                torch.save(_content(rank, iteration), path)

    def _read(self, rank: int, iteration: int) -> dict[str, Any]:
        return rank_files.read(rank_files.path(self._files, rank, iteration))

    def test_edits_one_file(self) -> None:
        rank_files.edit(1, 4, lambda saved: saved.update(rank="edited"))(
            self._files
        )
        self.assertEqual(self._read(1, 4), {"rank": "edited", "iteration": 4})
        for rank, iteration in ((0, 2), (0, 4), (1, 2)):
            self.assertEqual(
                self._read(rank, iteration), _content(rank, iteration)
            )

    def test_mixes_with_another_rank(self) -> None:
        rank_files.mix(
            1,
            4,
            lambda saved, other: saved.update(rank=other["rank"]),
            other_rank=0,
        )(self._files)
        self.assertEqual(self._read(1, 4), _content(0, 4))
        self.assertEqual(self._read(0, 4), _content(0, 4))

    def test_mixes_with_another_iteration(self) -> None:
        rank_files.mix(
            1, 4, lambda saved, other: saved.update(other), other_iteration=2
        )(self._files)
        self.assertEqual(self._read(1, 4), _content(1, 2))

    def test_several_edits_come_one_after_the_other(self) -> None:
        rank_files.several(
            rank_files.edit(0, 2, lambda saved: saved.update(rank=7)),
            rank_files.edit(0, 2, lambda saved: saved.update(iteration=8)),
        )(self._files)
        self.assertEqual(self._read(0, 2), _content(7, 8))


def _content(rank: int, iteration: int) -> dict[str, int]:
    return {"rank": rank, "iteration": iteration}


if __name__ == "__main__":
    absltest.main()
