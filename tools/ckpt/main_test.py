"""Tests for the program, as a user runs it."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
from unittest import mock

import torch
from absl.testing import absltest

from regress.ckpt import bits
from tools.ckpt import main


class MainTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path)
        here = {"BUILD_WORKING_DIRECTORY": str(self._folder)}
        self.enter_context(mock.patch.dict(os.environ, here))
        for name, value in (("a.pt", 1.0), ("b.pt", 2.0), ("c.pt", 1.0)):
            torch.save({"w": torch.tensor([value])}, self._folder / name)

    def _run(self, *arguments: str) -> tuple[int, str, str]:
        """Returns the exit status, stdout and stderr."""
        stdout, stderr = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            try:
                status = main.main(main.parse(["ckpt", *arguments]))
            except SystemExit as end:
                assert isinstance(end.code, int)
                status = end.code
        return status, stdout.getvalue(), stderr.getvalue()

    def test_the_status_is_the_verdict(self) -> None:
        status, text, _ = self._run("diff", "a.pt", "c.pt")
        self.assertEqual(status, 0)
        self.assertStartsWith(text, "SAME: 1 name, 4 bytes")
        status, text, _ = self._run("diff", "a.pt", "b.pt")
        self.assertEqual(status, 1)
        self.assertStartsWith(text, "DIFFERENT in 1 name")

    def test_a_checkpoint_is_shown(self) -> None:
        status, text, _ = self._run("show", "a.pt")
        self.assertEqual(status, 0)
        self.assertIn("w  float32 [1]", text)
        _, text, _ = self._run("show", "a.pt", "--json")
        self.assertEqual(json.loads(text)["entries"][0]["name"], "w")

    def test_a_page_is_written_where_the_user_is(self) -> None:
        torch.save({"text": "\ud800"}, self._folder / "d.pt")
        status, text, _ = self._run("diff", "a.pt", "d.pt", "--html=page.html")
        self.assertEqual(status, 1)
        self.assertStartsWith(text, "DIFFERENT: no name is in both.")
        page = (self._folder / "page.html").read_text()
        self.assertIn("<h1>DIFFERENT</h1>", page)
        status, _, stderr = self._run("diff", "a.pt", "c.pt", "--html=no/page")
        self.assertEqual(status, 2)
        self.assertIn("no/page cannot be written: No such file", stderr)
        self.assertLen(stderr.splitlines(), 1)

    def test_the_process_ends_with_the_status(self) -> None:
        result = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "tools.ckpt.main"),
                *("diff", "a.pt", "b.pt", "--json"),
            ],
            check=False,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
        )
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(json.loads(result.stdout)["verdict"], "different")

    def test_what_cannot_be_compared_is_one_sentence(self) -> None:
        (self._folder / "bad\x1b.pt").write_bytes(b"x")
        for arguments, words in (
            (("diff", "a.pt", "none.pt"), "There is no checkpoint "),
            (("diff", "a.pt", "bad\x1b.pt"), "is of no known format"),
            (("show", "none.pt"), "There is no checkpoint "),
            (("diff", "a.pt"), "required: B"),
            (("diff", "a.pt", "b.pt", "--xml"), "--xml"),
            ((), "COMMAND"),
        ):
            with self.subTest(arguments=arguments):
                status, stdout, stderr = self._run(*arguments)
                self.assertEqual(status, 2)
                self.assertIn(words, stderr)
                self.assertNotIn("\x1b", stderr)
                self.assertLen(stderr.splitlines(), 1)
                self.assertEmpty(stdout)

    def test_a_bug_does_not_look_like_a_difference(self) -> None:
        with mock.patch.object(bits, "compare", side_effect=ZeroDivisionError):
            status, _, stderr = self._run("diff", "a.pt", "c.pt")
        self.assertEqual(status, 2)
        self.assertIn("ZeroDivisionError", stderr)


if __name__ == "__main__":
    absltest.main()
