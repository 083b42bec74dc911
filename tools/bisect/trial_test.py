"""Tests for running a bundle, and of how it ends."""

import os
import pathlib
import signal
import threading
import time
from unittest import mock

from absl.testing import absltest

from regress.oracle import verdict_pb2
from tools.bisect import search, trial

_END_SECONDS = 60
_WRITE = """\
import os, pathlib
outputs = pathlib.Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"])
(outputs / "verdict.textproto").write_text({!r})
"""
# A program that ignores SIGTERM, with a child that survives unless the group is
# killed.
_STAYS = """\
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
outputs = pathlib.Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"])
(outputs / "partial").write_text(f"{os.getpid()} {child.pid}")
(outputs / "partial").rename(outputs / "pids")
time.sleep(600)
"""


class RunTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.outputs = self.root / "outputs"

    def run_program(self, text: str) -> trial.Trial:
        for name in ("bundle", "packages", "scratch"):
            (self.root / name).mkdir()
        (self.root / "bundle/__main__.py").write_text(text)
        (self.root / "packages/foo.py").write_text("VALUE = 3\n")
        return trial.run(
            self.root / "bundle",
            self.root / "packages",
            self.outputs,
            self.root / "scratch",
        )

    def test_a_pass_is_good(self) -> None:
        found = self.run_program(_WRITE.format("conclusion: PASS"))
        self.assertEqual(found.outcome, search.Outcome.GOOD)
        self.assertGreater(found.seconds, 0)

    def test_any_other_verdict_is_bad(self) -> None:
        found = self.run_program(
            _WRITE.format(
                "conclusion: WRONG_ENVIRONMENT first_bad_iteration: 4"
            )
        )
        self.assertEqual(found.outcome, search.Outcome.BAD)
        assert found.verdict is not None
        self.assertEqual(
            found.verdict.conclusion, verdict_pb2.Verdict.WRONG_ENVIRONMENT
        )
        self.assertEqual(found.verdict.first_bad_iteration, 4)

    def test_without_a_verdict_it_could_not_run(self) -> None:
        found = self.run_program(
            "import sys\nprint('so far')\nsys.exit('no core')"
        )
        self.assertEqual(found.outcome, search.Outcome.COULD_NOT_RUN)
        self.assertEqual(found.why_not, "exit status 1 and no verdict: no core")
        self.assertEqual(
            (self.outputs / "console.log").read_text(), "so far\nno core\n"
        )

    def test_has_its_packages_and_nothing_of_ours(self) -> None:
        with mock.patch.dict(
            os.environ, {"TEST_TARGET": "//x", "XML_OUTPUT_FILE": "/x"}
        ):
            found = self.run_program(
                "import os, sys, foo\n"
                "try:\n    import absl\nexcept ImportError:\n    absl = None\n"
                "sys.exit(f'{foo.VALUE} {absl} {sys.argv[1:]} '\n"
                "    f'{[n in os.environ for n in ('TEST_TARGET', "
                "'XML_OUTPUT_FILE')]}')"
            )
        self.assertEndsWith(
            found.why_not, ": 3 None ['--golden='] [False, False]"
        )

    def test_told_to_stop_it_leaves_nothing_running(self) -> None:
        pids: list[int] = []

        def stop() -> None:
            deadline = time.monotonic() + _END_SECONDS
            while not (self.outputs / "pids").exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            pids.extend(map(int, (self.outputs / "pids").read_text().split()))
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=stop)
        thread.start()
        with (
            mock.patch.object(trial, "_STOP_SECONDS", 1),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.run_program(_STAYS)
        thread.join()
        self.assertLen(pids, 2)
        for pid in pids:
            self.assertFalse(_is_running(pid), pid)


def _is_running(pid: int) -> bool:
    """Returns whether a process still runs after some time."""
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            return False
        # A zombie has ended; its new parent will reap it.
        if stat.rpartition(")")[2].split()[0] == "Z":
            return False
        time.sleep(0.05)
    return True


if __name__ == "__main__":
    absltest.main()
