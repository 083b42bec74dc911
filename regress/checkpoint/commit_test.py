"""Tests for what is deleted and what is kept."""

import pathlib

from absl.testing import absltest, parameterized

from regress.checkpoint import commit, durable, layout


class RetentionTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._root = pathlib.Path(self.create_tempdir().full_path)
        for iteration in (10, 20, 30):
            folder = layout.folder(self._root, iteration)
            folder.mkdir()
            (folder / layout.MANIFEST).touch()

    def _left(self) -> list[int]:
        return layout.iterations(self._root)

    @parameterized.parameters(
        (0, [10, 20, 30]), (1, [30]), (2, [20, 30]), (9, [10, 20, 30])
    )
    def test_the_newest_stay(self, keep: int, left: list[int]) -> None:
        commit.retire(durable.Disk(), self._root, keep)
        self.assertEqual(self._left(), left)
        self.assertLen(list(self._root.iterdir()), len(left))

    def test_what_is_not_complete_counts_for_nothing(self) -> None:
        layout.folder(self._root, 40).mkdir()
        commit.retire(durable.Disk(), self._root, 1)
        self.assertEqual(self._left(), [30, 40])

    def test_what_was_half_deleted_is_deleted(self) -> None:
        half = self._root / f"iter_0000020{layout.RETIRED}"
        half.mkdir()
        (half / "left").touch()
        self.assertEqual(self._left(), [10, 20, 30])
        commit.retire(durable.Disk(), self._root, 1)
        self.assertLen(list(self._root.iterdir()), 1)


if __name__ == "__main__":
    absltest.main()
