"""Tests for what is committed, deleted and kept."""

import errno
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

from absl.testing import absltest, parameterized

from regress.checkpoint import commit, durable, errors, layout, manifest

_STEPS = ("create", "write", "flush", "close", "rename", "flush_folder")


class _FailingDisk(durable.Disk):
    """A disk that does something else in place of one of its steps.

    Attributes:
        steps: How many steps there were.
    """

    def __init__(self, at: int, instead: Callable[[], None]) -> None:
        self._at = at
        self._instead = instead
        self.steps = 0
        for name in _STEPS:
            setattr(self, name, self._counted(getattr(self, name)))

    def _counted(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def count(*args: Any) -> Any:
            self.steps += 1
            if self.steps == self._at:
                self._instead()
            return step(*args)

        return count


def _fail() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


class FailureTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._root = pathlib.Path(self.create_tempdir().full_path) / "root"

    def _commit(self, at: int, instead: Callable[[], None]) -> int:
        """Commits iteration 20 after 10, with something else at one step."""
        shutil.rmtree(self._root, ignore_errors=True)
        name = layout.rank_file(0)
        disk = _FailingDisk(at, instead)
        for iteration in (10, 20):
            folder = layout.folder(self._root, iteration)
            (folder / name).parent.mkdir(parents=True)
            commit.commit(
                durable.Disk() if iteration == 10 else disk,
                self._root,
                manifest.Manifest(
                    iteration, (manifest.File(name, 0, "0" * 64),)
                ),
                keep=1,
            )
        return disk.steps

    def test_a_step_that_fails_is_a_sentence(self) -> None:
        for at in range(1, 1 + self._commit(0, _fail)):
            with (
                self.subTest(at),
                self.assertRaisesRegex(
                    errors.CheckpointWriteError,
                    r"^(The checkpoint's|Old checkpoints in) \S*root\S* cannot "
                    r"be (written|deleted): Input/output error. [^\n]*again.$",
                ),
            ):
                self._commit(at, _fail)

    def test_a_folder_that_is_deleted_meanwhile_is_a_sentence(self) -> None:
        # Without the root there is nothing left to delete after the commit.
        for at in range(1, 1 + self._commit(0, _fail)):
            with self.subTest(at):
                try:
                    self._commit(at, lambda: shutil.rmtree(self._root))
                except errors.CheckpointWriteError as error:
                    self.assertRegex(
                        str(error),
                        "the folder was deleted during the save|"
                        "Old checkpoints in .*: No such file",
                    )


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
