"""Tests for the program, with a fake package index and a fake Bazel."""

import os
import pathlib
import signal
import subprocess
import sys
import time

from absl.testing import absltest, parameterized

from tools.bisect import bundle_test_helper, index_test_helper

_END_SECONDS = 60


class MainTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir("workspace").full_path)
        bundle_test_helper.make_workspace(self.root)
        self.outputs = pathlib.Path(self.create_tempdir("outputs").full_path)
        self.cache = pathlib.Path(self.create_tempdir("cache").full_path)
        self.index = index_test_helper.FakeIndex()
        for minor in range(4):
            sha256 = self.index.add(
                "foo", f"1.{minor}", uploaded=f"2026-01-0{minor + 1}"
            )
        (self.root / "requirements_lock.txt").write_text(
            f"foo==1.3 --hash=sha256:{sha256}\n"
        )
        self.index.add("foo", "1.8", tag="cp27-none-any")
        self.index.add("foo", "1.9", yanked="wrong")
        self.index.add("foo", "2.0")

    def start(self, **flags: str) -> subprocess.Popen[str]:
        given = {
            "test": bundle_test_helper.TEST,
            "distribution": "foo",
            "from": "1.0",
            "to": "1.3",
            "outputs": str(self.outputs),
        } | flags
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "tools.bisect.main"),
                *(f"--{name}={value}" for name, value in given.items()),
            ],
            env={
                **os.environ,
                "BUILD_WORKSPACE_DIRECTORY": str(self.root),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "REGRESS_WHEEL_CACHE": str(self.cache / "wheels"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.kill)
        return process

    def run_main(self, **flags: str) -> tuple[int, str, str]:
        with self.index.serve():
            process = self.start(**flags)
            output, said = process.communicate()
        return process.returncode, output, said

    def test_the_lock_may_be_elsewhere(self) -> None:
        lock = self.root / "requirements_lock.txt"
        lock.rename(self.root / "ours.txt")
        status, _, said = self.run_main()
        self.assertEqual(status, 1)
        self.assertStartsWith(said, "--lock: expected the lock of the test's ")
        self.assertLen(said.splitlines(), 1)
        # It gets as far as the distribution.
        status, _, said = self.run_main(lock="ours.txt", distribution="bar")
        self.assertEqual(status, 1)
        self.assertIn("that ours.txt pins, found none of this name", said)

    def test_finds_what_broke_it_and_what_fixed_it(self) -> None:
        status, output, said = self.run_main()
        self.assertEqual(status, 0, said)
        words = " ".join(output.split())
        self.assertIn(
            "foo 1.1 broke it, 1.2 or 1.3 fixed it: last good 1.0, first bad "
            "1.1, first good again 1.3.",
            words,
        )
        self.assertIn(
            "1.2 could not run: exit status 1 and no verdict: foo.swizzle is "
            "missing.",
            words,
        )
        self.assertEqual(
            (self.outputs / "1.1/console.log").read_text(), "release 1.1\n"
        )
        # The folders of packages are gone.
        self.assertEqual([one.name for one in self.cache.iterdir()], ["wheels"])

    def test_what_cannot_be_installed_is_skipped(self) -> None:
        self.index.add("foo", "3.0", requires=["bar>=2"])
        status, output, _ = self.run_main(**{"from": "2.0", "to": "3.0"})
        self.assertEqual(status, 0)
        words = " ".join(output.split())
        self.assertIn(
            "No matching distribution found for bar>=2 (from foo).", words
        )
        self.assertIn("all 1 that ran are good.", words)

    @parameterized.parameters(
        ({"from": "0.9"}, "--from=0.9: expected a release that is on the"),
        ({"to": "1.8"}, "found one with no wheel for Python 3."),
        ({"to": "1.9"}, "found one with all its files yanked: wrong: take"),
        ({"from": "1.3", "to": "1.0"}, "expected the older release first, "),
        ({"distribution": "qux"}, "expected a distribution that requirements_"),
        ({"test": "//pkg:no_test"}, "found no such target: see "),
        ({"test": "//pkg:plain_test"}, "expected a resume_test, found "),
    )
    def test_bad_input_is_one_sentence(
        self, flags: dict[str, str], words: str
    ) -> None:
        status, output, said = self.run_main(**flags)
        self.assertEqual((status, output), (1, ""))
        self.assertIn(words, said)
        self.assertLen(said.strip().splitlines(), 1)

    def test_an_index_out_of_reach_is_one_sentence(self) -> None:
        with index_test_helper.only_index("http://127.0.0.1:1/simple"):
            process = self.start()
            _, said = process.communicate()
        self.assertEqual(process.returncode, 1)
        self.assertIn("out of reach", said)
        self.assertEqual(said.count("\n"), 1, said)

    @parameterized.parameters(signal.SIGINT, signal.SIGTERM)
    def test_told_to_stop_it_leaves_nothing(
        self, number: signal.Signals
    ) -> None:
        archive = self.root / "bin/pkg/my_test.bundle.tar.gz"
        archive.unlink()
        self.root = pathlib.Path(self.create_tempdir("other").full_path)
        bundle_test_helper.make_workspace(
            self.root,
            "import os, time\n"
            "print('pid', os.getpid(), flush=True)\ntime.sleep(600)\n",
        )
        (self.root / "requirements_lock.txt").write_text(
            f"foo==1.3 --hash=sha256:{'0' * 64}\n"
        )
        log = self.outputs / "1.0/console.log"
        deadline = time.monotonic() + _END_SECONDS
        with self.index.serve():
            process = self.start()
            while not (log.exists() and log.read_text().endswith("\n")):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            pid = int(log.read_text().split()[1])
            process.send_signal(number)
            _, said = process.communicate(timeout=_END_SECONDS)
        self.assertEqual(process.returncode, 1)
        self.assertIn("Interrupted; nothing is left running.", said)
        self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())
        self.assertEqual([one.name for one in self.cache.iterdir()], ["wheels"])


if __name__ == "__main__":
    absltest.main()
