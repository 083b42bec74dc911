"""Tests of interpreter.py."""

import pathlib
import subprocess
import sys

from absl.testing import absltest

from tools.python import interpreter


class InterpreterTest(absltest.TestCase):
    def test_takes_the_expected_version(self):
        self.assertEqual(interpreter.check("3.11", "3.11", "/p/python"), "")

    def test_refuses_another_version(self):
        self.assertEqual(
            interpreter.check("3.11", "3.9", "/p/python"),
            "wrong Python: expected 3.11, but /p/python is 3.9: install "
            "python3.11, or set REGRESS_PYTHON to its path.",
        )

    def test_copies_a_python_with_nothing_installed(self):
        copy = pathlib.Path(self.create_tempdir().full_path, "copy")
        version = "{}.{}".format(*sys.version_info[:2])
        result = _run(version, str(copy))
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
        result = _run("2.0", "unused")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^wrong Python: expected 2\.0, .*\n$")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, interpreter.__file__, *arguments],
        capture_output=True,
        check=False,
        text=True,
    )


if __name__ == "__main__":
    absltest.main()
