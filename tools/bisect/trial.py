"""Runs a bundle with a set of packages, and reads its verdict.

A test that passes is good; one with any other verdict is bad, whatever that
verdict is about. One that ended without a verdict could not run.
"""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time

from google.protobuf import text_format

from regress.oracle import verdict_pb2
from regress.supervisor import linux
from tools.bisect import search

# A test that is told to stop says what it knows, and ends its ranks.
_STOP_SECONDS = 20
_LOG = "console.log"
# What belongs to the program that runs this, and not to the test.
_FOREIGN = ("BAZEL", "BUILD_", "PYTHON", "RUNFILES", "TEST_", "XML_OUTPUT")


@dataclasses.dataclass(frozen=True)
class Trial:
    """What came of one release.

    Attributes:
        seconds: How long the test took.
        verdict: The test's; None if it could not run.
        why_not: Why it could not run, in a clause; "" if it did.
        moved: What did not stay as the lock pins it: "numpy 1.26.4".
    """

    seconds: float = 0
    verdict: verdict_pb2.Verdict | None = None
    why_not: str = ""
    moved: tuple[str, ...] = ()

    @property
    def outcome(self) -> search.Outcome:
        """Good, bad, or could not run."""
        if self.verdict is None:
            return search.Outcome.COULD_NOT_RUN
        if self.verdict.conclusion == verdict_pb2.Verdict.PASS:
            return search.Outcome.GOOD
        return search.Outcome.BAD


def run(
    bundle: pathlib.Path,
    packages: pathlib.Path,
    outputs: pathlib.Path,
    scratch: pathlib.Path,
) -> Trial:
    """Runs a bundle without a golden.

    Nothing of it is left running, however this ends.

    Args:
        bundle: What Python runs.
        packages: The folder of all packages that it may import.
        outputs: Where its outputs go, and what it prints; made if need be.
        scratch: A folder for what is of no use afterwards.
    """
    outputs.mkdir(parents=True, exist_ok=True)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN)
    }
    environment |= {
        "PYTHONNOUSERSITE": "1",
        "PYTHONPATH": str(packages),
        # So that the last line of the log is what was said last.
        "PYTHONUNBUFFERED": "1",
        "TEST_TMPDIR": str(scratch),
        "TEST_UNDECLARED_OUTPUTS_DIR": str(outputs),
    }
    parent = os.getpid()
    start = time.monotonic()
    with (
        open(outputs / _LOG, "wb") as log,
        subprocess.Popen(
            # An empty golden stands in for the bundle's own.
            [sys.executable, str(bundle), "--golden="],
            cwd=scratch,
            env=environment,
            preexec_fn=lambda: linux.die_with_parent(parent),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            status = process.wait()
        finally:
            _end(process)
    seconds = time.monotonic() - start
    path = outputs / "verdict.textproto"
    if not path.exists():
        return Trial(seconds, why_not=_last_line(outputs / _LOG, status))
    return Trial(
        seconds, text_format.Parse(path.read_text(), verdict_pb2.Verdict())
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and its group: it is asked first, and then killed."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    # Where nobody is left, there is no group.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_line(log: pathlib.Path, status: int) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    said = lines[-1].strip() if lines else "it printed nothing"
    return f"exit status {status} and no verdict: {said}"
