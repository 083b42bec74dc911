"""A server through which processes use one GPU at the same time: NVIDIA's MPS.

Without it the processes take turns, and one that waits for another's data
spins away its whole turn. The server makes no difference to the bits.

Each attempt has a server of its own: when clients are killed in the middle of
their work, NVIDIA promises nothing for others of the same server.
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
# The directory of the server's sockets, by which its clients find it.
PIPES = "CUDA_MPS_PIPE_DIRECTORY"
_LOGS = "CUDA_MPS_LOG_DIRECTORY"

# So long the server may take to answer, to let its clients go, and to end.
_SECONDS = 10


def is_available() -> bool:
    """Whether the driver's program is on the PATH."""
    return shutil.which(PROGRAM) is not None


@contextlib.contextmanager
def server(logs: pathlib.Path) -> Iterator[dict[str, str]]:
    """Runs a server; nothing of it is left afterwards.

    Enter it before the attempt whose ranks are its clients.

    Args:
        logs: An existing directory for what the server has to say.

    Yields:
        What a client must have in its environment.

    Raises:
        SupervisorError: The server does not start.
    """
    # Under /tmp since a socket's path is short, and a test's directory is not.
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
    """Starts the control daemon in a group that its servers stay in."""
    return subprocess.Popen(
        # In the foreground, so that it stays this process's child.
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
    """Asks until there is an answer, which the daemon has no event for."""
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
    """Ends the daemon and its servers, if need be by force; reaps nobody."""
    if _tell(f"quit -t {_SECONDS}", environment):
        pidfd = os.pidfd_open(process.pid)
        try:
            select.select([pidfd], [], [], _SECONDS)
        finally:
            os.close(pidfd)
    # Who is left of its group, whose number is its own until it is reaped.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _tell(command: str, environment: dict[str, str]) -> bool:
    """Gives the daemon a command. Returns whether it answered."""
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
