"""Tests for interpreter.py."""

import pathlib
import subprocess
import sys

from absl.testing import absltest

from tools.python import interpreter


class InterpreterTest(absltest.TestCase):
    def test_takes_an_expected_version(self):
        for version in ("3.12", "3.13"):
            self.assertEqual(
                interpreter.check(["3.13", "3.12"], version, True), ""
            )

    def test_refuses_another_version(self):
        self.assertEqual(
            interpreter.check(["3.13", "3.12"], "3.9", True), "is Python 3.9"
        )

    def test_refuses_a_python_without_pip(self):
        self.assertEqual(
            interpreter.check(["3.13"], "3.13", False),
            "has no pip: install python3-pip",
        )

    def test_copies_a_shared_library(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        library = folder / "libpython3.13.so.1.0"
        library.touch()
        settings = {
            "Py_ENABLE_SHARED": 1,
            "LIBDIR": str(folder),
            "INSTSONAME": library.name,
        }
        self.assertEqual(interpreter.shared_library(settings), library)
        self.assertIsNone(
            interpreter.shared_library({**settings, "Py_ENABLE_SHARED": 0})
        )

    def test_needs_no_shared_library_that_is_not_installed(self):
        # A Debian with python3 but without libpython3.13 has these.
        settings = {
            "Py_ENABLE_SHARED": 1,
            "LIBDIR": self.create_tempdir().full_path,
            "INSTSONAME": "libpython3.13.so.1.0",
        }
        self.assertIsNone(interpreter.shared_library(settings))

    def test_copies_a_python_with_nothing_installed(self):
        copy = pathlib.Path(self.create_tempdir().full_path, "copy")
        version = "{}.{}".format(*sys.version_info[:2])
        result = _run(str(copy), version)
        self.assertEqual(result.stderr, "")
        self.assertNotIn(str(copy), result.stdout)
        self.assertEqual(list(copy.glob("lib/*/site-packages/*")), [])
        program = "import sys, json, ssl; print(sys.prefix, json.__cached__)"
        printed = subprocess.check_output(
            [copy / "bin" / f"python{version}", "-I", "-c", program],
            env={"LD_LIBRARY_PATH": str(copy / "lib")},
            text=True,
        )
        prefix, cached = printed.split()
        self.assertEqual(prefix, str(copy))
        self.assertTrue(pathlib.Path(cached).is_file())

    def test_says_what_is_wrong_in_one_line(self):
        result = _run("unused", "2.0")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^is Python 3\.\d+\n$")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, interpreter.__file__, *arguments],
        capture_output=True,
        check=False,
        text=True,
    )


if __name__ == "__main__":
    absltest.main()
