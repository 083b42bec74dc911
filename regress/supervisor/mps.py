"""Runs NVIDIA's MPS server, which lets processes use one GPU concurrently.

Without MPS the GPU is time-sliced, and a process that waits for another one's
data busy-waits through its whole time slice. MPS does not change the bits.

Each attempt has its own server: if clients are killed while they work, NVIDIA
guarantees nothing to the other clients of the same server.
"""

import contextlib
import functools
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator

from regress.supervisor import errors, guard, linux

PROGRAM = "nvidia-cuda-mps-control"
# Names the directory of the server's sockets, where clients find it.
PIPES = "CUDA_MPS_PIPE_DIRECTORY"
_LOGS = "CUDA_MPS_LOG_DIRECTORY"

# Time limit for the server to answer, to drop its clients, and to exit.
_SECONDS = 10


def is_available() -> bool:
    """Whether NVIDIA's control program is on the PATH."""
    return shutil.which(PROGRAM) is not None


@contextlib.contextmanager
def server(logs: pathlib.Path) -> Iterator[dict[str, str]]:
    """Runs a server and leaves none of its processes behind.

    Enter this context before launching the attempt whose ranks are clients.

    Args:
        logs: An existing directory for the server's logs.

    Yields:
        The environment variables that a client needs.

    Raises:
        SupervisorError: The server does not start.
    """
    # Under /tmp: the length of a socket's path is limited, and a test's own
    # directory may be too long.
    with (
        tempfile.TemporaryDirectory(prefix="mps_", dir="/tmp") as pipes,
        guard.Guard() as watching,
    ):
        environment = {PIPES: pipes, _LOGS: str(logs)}
        process = _start(environment)
        watching.watch(process.pid)
        try:
            _wait_until_it_answers(process, environment, logs)
            yield {PIPES: pipes}
        finally:
            _end(process, environment)
            watching.forget(process.pid)
            process.wait()


def _start(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Starts the control daemon; its servers stay in its process group."""
    return subprocess.Popen(
        # -f keeps it in the foreground, as a child of this process.
        [PROGRAM, "-f"],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=functools.partial(linux.die_with_parent, os.getpid()),
    )


def _wait_until_it_answers(
    process: subprocess.Popen[bytes],
    environment: dict[str, str],
    logs: pathlib.Path,
) -> None:
    """Polls until the daemon answers; it signals readiness in no other way."""
    deadline = time.monotonic() + _SECONDS
    while not _tell("get_server_list", environment):
        ended = os.waitid(
            os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
        )
        if ended is not None or time.monotonic() > deadline:
            what = (
                f"did not answer within {_SECONDS} s"
                if ended is None
                else f"ended with status {ended.si_status} before it served"
            )
            raise errors.SupervisorError(
                f"{PROGRAM} {what}; see {logs}/control.log, or take {PROGRAM} "
                "off the PATH: the ranks then share the GPU time-sliced."
            )


def _end(process: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    """Stops the daemon and its servers, by force if needed; reaps nothing."""
    if _tell(f"quit -t {_SECONDS}", environment):
        pidfd = os.pidfd_open(process.pid)
        try:
            select.select([pidfd], [], [], _SECONDS)
        finally:
            os.close(pidfd)
    # Kill the rest of the group. The group id cannot be reused before the
    # daemon is reaped.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _tell(command: str, environment: dict[str, str]) -> bool:
    """Sends the daemon a command. Returns whether it answered."""
    try:
        result = subprocess.run(
            [PROGRAM],
            input=f"{command}\n".encode(),
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2 * _SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return result.returncode == 0
