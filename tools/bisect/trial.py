"""Runs a bundle with a set of packages, and reads its verdict.

A pass is good, and every other verdict is bad, whatever it is about. A test
that ends without a verdict could not run.
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

# A test that gets SIGTERM needs time to print what it knows and end its ranks.
_STOP_SECONDS = 20
_LOG = "console.log"
# These variables are meant for this program, not for the test.
_FOREIGN = ("BAZEL", "BUILD_", "PYTHON", "RUNFILES", "TEST_", "XML_OUTPUT")


@dataclasses.dataclass(frozen=True)
class Trial:
    """The outcome of one release.

    Attributes:
        seconds: How long the test took.
        verdict: The test's verdict; None if it could not run.
        why_not: Why it could not run, in a clause; "" if it did.
        moved: What the lock pins to another version, such as "numpy 1.26.4".
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

    However this ends, it leaves no process running.

    Args:
        bundle: The folder that Python runs.
        packages: The folder of all packages that the bundle may import.
        outputs: The folder for its outputs and for what it prints; made if it
            does not exist.
        scratch: A folder for temporary files.
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
        # Otherwise the log's last line may not be what was printed last.
        "PYTHONUNBUFFERED": "1",
        "TEST_TMPDIR": str(scratch),
        "TEST_UNDECLARED_OUTPUTS_DIR": str(outputs),
    }
    parent = os.getpid()
    start = time.monotonic()
    with (
        open(outputs / _LOG, "wb") as log,
        subprocess.Popen(
            # An empty golden overrides the bundle's own.
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
    """Ends a process and its group, first with SIGTERM, then with SIGKILL."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    # Once all its processes have ended, the group is gone.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_line(log: pathlib.Path, status: int) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    said = lines[-1].strip() if lines else "it printed nothing"
    return f"exit status {status} and no verdict: {said}"
