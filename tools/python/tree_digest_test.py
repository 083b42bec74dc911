"""Tests for tree_digest.py."""

import pathlib

from absl.testing import absltest

from tools.python import tree_digest


class TreeDigestTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)
        self.file = self.directory / "folder/file"
        self.file.parent.mkdir()
        self.file.write_text("one")
        self.before = tree_digest.tree_digest(self.directory)

    def assert_differs(self):
        after = tree_digest.tree_digest(self.directory)
        self.assertNotEqual(after, self.before)

    def test_is_the_same_elsewhere(self):
        elsewhere = pathlib.Path(self.create_tempdir().full_path)
        (elsewhere / "folder").mkdir()
        (elsewhere / "folder/file").write_text("one")
        self.assertEqual(tree_digest.tree_digest(elsewhere), self.before)

    def test_tells_contents_apart(self):
        self.file.write_text("two")
        self.assert_differs()

    def test_tells_names_apart(self):
        self.file.rename(self.directory / "folder/other")
        self.assert_differs()

    def test_tells_programs_from_other_files(self):
        self.file.chmod(0o755)
        self.assert_differs()

    def test_sees_another_file(self):
        (self.directory / "empty").touch()
        self.assert_differs()


if __name__ == "__main__":
    absltest.main()
