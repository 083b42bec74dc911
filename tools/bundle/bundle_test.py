"""Runs a bundle, as somebody without Bazel does."""

import os
import pathlib
import subprocess
import sys
import tarfile

from absl.testing import absltest

_BUNDLE = pathlib.Path("tools/bundle/tiny.bundle.tar.gz")
_WHEELS = [path for path in sys.path if "site-packages" in path]


class BundleTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        with tarfile.open(_BUNDLE) as tar:
            tar.extractall(self.folder, filter="data")

    def run_bundle(
        self, *flags: str, wheels: list[str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "tiny.bundle", *flags],
            cwd=self.folder,
            # The test's own variables must not help the bundle.
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(wheels),
                "TMPDIR": str(self.folder),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def test_passes_with_the_wheels_of_the_python_that_runs_it(self) -> None:
        result = self.run_bundle(wheels=_WHEELS)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("\nPASS", result.stdout)

    def test_its_flags_come_after_its_own(self) -> None:
        result = self.run_bundle("--channel=lts", wheels=_WHEELS)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("FAIL: wrong environment", result.stdout)

    def test_says_which_wheels_are_missing(self) -> None:
        result = self.run_bundle(
            wheels=[path for path in _WHEELS if "megatron" not in path]
        )
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "has no megatron-core; .* pip install")

    def test_holds_no_wheel(self) -> None:
        files = {
            path.relative_to(self.folder / "tiny.bundle/files").parts[0]
            for path in (self.folder / "tiny.bundle/files").rglob("*.*")
        }
        self.assertEqual(files, {"regress"})


if __name__ == "__main__":
    absltest.main()
