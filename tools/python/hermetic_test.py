"""A test sees only what it declares."""

import errno
import importlib.util
import os
import pathlib
import re
import socket
import subprocess
import sys

from absl.testing import absltest


def _may_mount() -> bool:
    """Returns whether this machine allows what Bazel's sandbox is made of."""
    return not subprocess.run(
        [
            *("unshare", "--map-root-user", "--mount", "--net"),
            *("--pid", "--fork", "--mount-proc", "true"),
        ],
        capture_output=True,
        check=False,
    ).returncode


class HermeticTest(absltest.TestCase):
    def require_sandbox(self):
        """Skips a test if Bazel can only have its weaker sandbox here."""
        if not _may_mount():
            self.skipTest(
                "This machine lets Bazel mount nothing, so its sandbox "
                "is the weaker one."
            )

    def test_runs_the_pinned_python(self):
        self.assertIn(sys.version_info[:2], [(3, 12), (3, 13)])

    def test_imports_no_undeclared_wheel(self):
        # The lock has these, and so may this machine's own site-packages.
        for module in ("numpy", "torch", "pip", "setuptools"):
            with self.subTest(module):
                self.assertIsNone(importlib.util.find_spec(module))

    def test_children_import_no_undeclared_wheel(self):
        result = subprocess.run(
            [sys.executable, "-c", "import pip"],
            capture_output=True,
            check=False,
            text=True,
        )
        self.assertIn("No module named 'pip'", result.stderr)

    def test_imports_nothing_from_the_source_tree(self):
        beside = pathlib.Path(__file__).resolve().parent
        self.assertNotIn(
            beside, [pathlib.Path(entry).resolve() for entry in sys.path]
        )

    def test_sees_no_variable_of_the_user(self):
        # Bazel, its stub and the Python set these. So what a rank records of
        # its environment is what was declared.
        allowed = re.compile(
            r"(EXPERIMENTAL|GTEST|JAVA|PYTHON|RUNFILES|RUN_UNDER|TEST|TESTBRIDGE"
            r"|XML)\w*|BAZEL_TEST|HOME|LD_LIBRARY_PATH|LOGNAME|OLDPWD|PATH|PWD"
            r"|LC_CTYPE|SHLVL|TMPDIR|TZ|USER|_"
        )
        self.assertEqual(
            [name for name in os.environ if not allowed.fullmatch(name)], []
        )

    def test_reaches_loopback_alone(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback:
            loopback.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
            try:
                # This address is reserved for documentation. Connecting a
                # datagram socket looks for a route, and sends nothing.
                elsewhere.connect(("192.0.2.1", 9))
            except OSError as error:
                self.assertEqual(error.errno, errno.ENETUNREACH)
                return
        self.require_sandbox()
        self.fail("A test reaches more than loopback.")

    def test_starts_with_an_empty_tmp(self):
        for path in (
            __file__,
            sys.base_prefix,
            os.environ["TEST_TMPDIR"],
        ):
            if pathlib.Path("/tmp") in pathlib.Path(path).resolve().parents:
                # tools/bazelw does not hide /tmp either in this case.
                self.skipTest(f"{path} is in /tmp, which is thus not hidden.")
        found = list(pathlib.Path("/tmp").iterdir())
        if found:
            self.require_sandbox()
        self.assertEmpty(found)


if __name__ == "__main__":
    absltest.main()
