"""Tests for sources.py."""

import pathlib
import shutil
import subprocess

from absl.testing import absltest

from tools.lint import sources


class ByLanguageTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        if not shutil.which("git"):
            self.skipTest("There is no git on this machine's PATH.")
        self.workspace = pathlib.Path(self.create_tempdir().full_path)
        self.git("init", "--quiet")

    def git(self, *arguments: str):
        subprocess.run(["git", *arguments], check=True, cwd=self.workspace)

    def write(self, path, content=""):
        file = self.workspace / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def test_tells_languages_apart(self):
        self.write("WORKSPACE")
        self.write("a/BUILD.bazel")
        self.write("a/b.py")
        self.write("a/c.proto")
        self.write("a/defs.bzl")
        self.write("a/notes.txt")
        self.write("a/tool", "#!/bin/bash\n")
        self.write("d.sh")
        found = sources.by_language(self.workspace)
        self.assertEqual(found.pop(""), ["a/notes.txt"])
        self.assertEqual(
            found,
            {
                "proto": ["a/c.proto"],
                "python": ["a/b.py"],
                "shell": ["a/tool", "d.sh"],
                "starlark": ["WORKSPACE", "a/BUILD.bazel", "a/defs.bzl"],
            },
        )

    def test_leaves_out_what_git_ignores_and_what_is_gone(self):
        self.write(".gitignore", "ignored.py\n")
        self.write("ignored.py")
        self.write("gone.py")
        self.write("kept.py")
        self.git("add", ".")
        (self.workspace / "gone.py").unlink()
        found = sources.by_language(self.workspace)
        self.assertEqual(found["python"], ["kept.py"])


if __name__ == "__main__":
    absltest.main()
