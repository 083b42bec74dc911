"""Tests for what a machine says that cannot mount a file system.

The rest needs root and a loop device: `tools/bazelw run //tools/powercut`.
"""

import os
import pathlib
from unittest import mock

from absl.testing import absltest

from regress.testing.crash import ext4_image, power_cut


class Ext4ImageTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self._image = ext4_image.Ext4Image(folder / "image", folder / "mounted")

    def test_a_user_who_is_not_root_is_told(self) -> None:
        with (
            mock.patch.object(os, "geteuid", return_value=1000),
            self.assertRaisesRegex(
                ext4_image.Ext4ImageError, "only root can .* the id 1000"
            ),
        ):
            self._image.__enter__()

    def test_a_program_that_is_missing_is_named(self) -> None:
        with (
            mock.patch.object(os, "geteuid", return_value=0),
            mock.patch.dict(os.environ, {"PATH": "/nowhere"}),
            self.assertRaisesRegex(
                ext4_image.Ext4ImageError, r"there is no mkfs.ext4\.$"
            ),
        ):
            self._image.__enter__()

    def test_a_command_that_fails_is_quoted(self) -> None:
        with self.assertRaisesRegex(
            ext4_image.Ext4ImageError, r"`ls /nowhere` failed with .*No such"
        ):
            ext4_image._run("ls", "/nowhere")


class ChooseTest(absltest.TestCase):
    def test_the_seed_decides(self) -> None:
        chosen = list(power_cut.choose(50, seed=1))
        self.assertEqual(chosen, list(power_cut.choose(50, seed=1)))
        self.assertNotEqual(chosen, list(power_cut.choose(50, seed=2)))
        self.assertEqual({cut.rank for cut in chosen}, {0, 1, 2, 3})


if __name__ == "__main__":
    absltest.main()
