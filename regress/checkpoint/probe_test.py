"""Tests for trying a checkpoint directory before the first step."""

import errno
import os
import pathlib
from typing import NoReturn
from unittest import mock

from absl.testing import absltest, parameterized

from regress.checkpoint import durable, errors, probe


def _fail(*args: object) -> NoReturn:
    del args
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


class ProbeTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path)
        self._root = self._folder / "checkpoints"

    def _check(self, disk: durable.Disk | None = None) -> None:
        probe.check(disk or durable.Disk(), self._root, rank=2)

    def _assert_refused(
        self, words: str, disk: durable.Disk | None = None
    ) -> None:
        with self.assertRaisesRegex(errors.CheckpointWriteError, words):
            self._check(disk)

    def test_it_leaves_nothing_but_the_directory(self) -> None:
        self._check()
        self._check()
        self.assertEmpty(list(self._root.iterdir()))

    def test_a_pipe_is_refused_without_waiting_for_its_reader(self) -> None:
        self._root.mkdir(exist_ok=True)
        os.mkfifo(self._root / f".probe_002{durable.ASIDE}")
        self._assert_refused("No such device or address")

    @parameterized.parameters(
        "make_folder", "create", "write", "flush", "rename", "flush_folder"
    )
    def test_a_step_that_fails_is_refused(self, step: str) -> None:
        disk = durable.Disk()
        with mock.patch.object(disk, step, _fail):
            self._assert_refused(
                r"^No checkpoint can be written to \S*checkpoints, so nothing "
                r"is trained\. .* cannot be written: Read-only file system\.",
                disk,
            )

    def test_a_link_to_nothing_is_refused(self) -> None:
        self._root.symlink_to(self._folder / "unmounted")
        self._assert_refused(
            r"^The checkpoint directory \S*checkpoints is a symbolic link to "
            r"\S*unmounted, which does not exist"
        )

    def test_a_folder_below_a_link_to_nothing_is_refused(self) -> None:
        self._root.symlink_to(self._folder / "unmounted")
        self._root /= "job"
        self._assert_refused("so nothing is trained")

    def test_a_link_to_a_folder_is_written_to(self) -> None:
        (self._folder / "mounted").mkdir()
        self._root.symlink_to(self._folder / "mounted")
        self._check()

    def test_a_file_is_refused(self) -> None:
        self._root.touch()
        self._assert_refused("so nothing is trained")


if __name__ == "__main__":
    absltest.main()
