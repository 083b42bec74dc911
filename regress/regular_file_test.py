"""Tests for what is opened, and what is refused at once."""

import os
import pathlib

from absl.testing import absltest

from regress import regular_file


class RegularFileTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path) / "file"

    def test_reads_a_regular_file(self) -> None:
        self.path.write_bytes(b"content")
        self.assertEqual(regular_file.read(self.path), b"content")
        regular_file.check(self.path)

    def test_follows_a_link(self) -> None:
        self.path.write_bytes(b"content")
        link = self.path.with_name("link")
        link.symlink_to(self.path)
        self.assertEqual(regular_file.read(link), b"content")

    def test_refuses_a_pipe_without_waiting_for_its_writer(self) -> None:
        os.mkfifo(self.path)
        for opens in (
            regular_file.open_to_read,
            regular_file.read,
            regular_file.check,
        ):
            with self.assertRaisesRegex(OSError, "Not a regular file"):
                opens(self.path)

    def test_refuses_a_device_without_an_end(self) -> None:
        with self.assertRaisesRegex(OSError, "Not a regular file"):
            regular_file.read("/dev/zero")

    def test_a_missing_file_is_told_from_another(self) -> None:
        with self.assertRaises(FileNotFoundError):
            regular_file.read(self.path)


if __name__ == "__main__":
    absltest.main()
