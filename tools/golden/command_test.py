"""Tests for how a command reads its arguments."""

import os
import pathlib
from unittest import mock

from absl.testing import absltest

from tools.golden import command


class PathTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.user = self.root / "here"
        self.user.mkdir()
        self.enter_context(
            mock.patch.dict(
                os.environ,
                {
                    "BUILD_WORKSPACE_DIRECTORY": str(self.root),
                    "BUILD_WORKING_DIRECTORY": str(self.user),
                },
            )
        )

    def test_is_relative_to_the_user(self) -> None:
        self.assertEqual(command.path("a/b"), self.user / "a/b")
        self.assertEqual(command.path("/a/b"), pathlib.Path("/a/b"))

    def test_can_be_relative_to_the_workspace(self) -> None:
        self.assertEqual(command.path("//a/b"), self.root / "a/b")

    def test_can_be_in_the_runfiles(self) -> None:
        runfiles = self.create_tempdir().full_path
        before = pathlib.Path.cwd()
        os.chdir(runfiles)
        self.addCleanup(os.chdir, before)
        pathlib.Path("case").touch()
        self.assertEqual(command.path("case"), pathlib.Path("case"))
        (self.user / "case").touch()
        self.assertEqual(command.path("case"), self.user / "case")


if __name__ == "__main__":
    absltest.main()
