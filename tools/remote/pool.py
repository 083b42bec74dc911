"""A pool for remote execution on this machine: BuildGrid and workers.

The engine is BuildGrid with PostgreSQL. Each worker is buildbox's, in its own
container with Debian sid, and shares nothing with this machine but loopback.
"""

import contextlib
import dataclasses
import os
import pathlib
import pwd
import shutil
import signal
import socket
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from regress import errors

_START_SECONDS = 60
_END_SECONDS = 30
_POSTGRES = "postgres"
_BUILDGRID = "buildgrid"
_ENGINE = (_POSTGRES, _BUILDGRID)


class PoolError(errors.UserError):
    """Something that a pool needs is missing, or does not start."""


@dataclasses.dataclass(frozen=True)
class Worker:
    """A worker, which runs one action at a time.

    Attributes:
        name: The worker's name, and its host name.
        properties: What it offers. An action goes to a worker that offers all
            that the action asks for.
    """

    name: str
    properties: Mapping[str, str]


class Pool:
    """A running pool; see start()."""

    def __init__(
        self, folder: pathlib.Path, port: int, sid: pathlib.Path
    ) -> None:
        """Takes what start() has prepared.

        Args:
            folder: A folder for the pool's files.
            port: BuildGrid's port on loopback.
            sid: A directory with Debian sid.
        """
        self._folder = folder
        self._port = port
        self._sid = sid
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        """The address for Bazel's --remote_executor."""
        return f"grpc://127.0.0.1:{self._port}"

    def log(self, name: str) -> pathlib.Path:
        """Returns the path of a service's or a worker's log."""
        return self._folder / f"{name}.log"

    def start_engine(self) -> None:
        """Starts PostgreSQL and BuildGrid, and waits until they answer.

        Raises:
            PoolError: One of them does not start.
        """
        programs = _postgres_programs()
        data = self._folder / _POSTGRES
        data.mkdir()
        # PostgreSQL refuses to run as root.
        user = _POSTGRES if os.getuid() == 0 else None
        if user:
            shutil.chown(data, user, user)
        self._run(
            _POSTGRES,
            [
                *(programs / "initdb", "--auth=trust", "--username=postgres"),
                *("--no-sync", f"--pgdata={data}/data"),
            ],
            user,
        )
        self._start(
            _POSTGRES,
            [
                *(programs / "postgres", "-D", f"{data}/data", "-k", data),
                # It listens only on a socket in its folder.
                *("-c", "listen_addresses=", "-c", "fsync=off"),
            ],
            user,
        )
        self._wait(_POSTGRES, lambda: (data / ".s.PGSQL.5432").exists())
        database = f"postgresql+psycopg2://postgres@/postgres?host={data}"
        template = pathlib.Path(__file__).with_name("buildgrid.yml")
        settings = self._folder / "buildgrid.yml"
        settings.write_text(
            string.Template(template.read_text()).substitute(
                database=database, port=self._port, folder=self._folder
            )
        )
        bgd = [
            *(sys.executable, "-P", "-c"),
            "import sys; from buildgrid.server.app import cli; sys.exit(cli())",
        ]
        self._run(_BUILDGRID, [*bgd, "migrate", "apply", database])
        self._start(_BUILDGRID, [*bgd, "server", "start", settings])
        self._wait(_BUILDGRID, lambda: _answers(self._port))

    def start_worker(self, worker: Worker) -> None:
        """Starts a worker, or starts it again after kill_worker().

        Raises:
            PoolError: It does not start.
        """
        folder = self._folder / worker.name
        folder.mkdir(exist_ok=True)
        (folder / "ready").unlink(missing_ok=True)
        properties = [
            f"--platform {key}={value}"
            for key, value in worker.properties.items()
        ]
        (folder / "tmp").mkdir(exist_ok=True)
        # Like Bazel's own sandbox, this has no network but loopback and an
        # empty /tmp, and no process outlives its action.
        runner = folder / "run"
        runner.write_text(
            "#!/bin/sh\n"
            "exec bwrap --bind / / --dev-bind /dev /dev --proc /proc"
            " --tmpfs /tmp --unshare-net --unshare-pid --die-with-parent"
            ' /usr/bin/buildbox-run-hosttools "$@"\n'
        )
        runner.chmod(0o755)
        # The cache keeps the blobs of earlier actions; an action's files are
        # hard links to blobs.
        script = f"""
            buildbox-casd --cas-remote=http://127.0.0.1:{self._port} \\
                --bind=unix:/mnt/casd.sock /mnt/cache &
            until [ -S /mnt/casd.sock ]; do sleep 0.1; done
            touch /mnt/ready
            exec buildbox-worker \\
                --bots-remote=http://127.0.0.1:{self._port} \\
                --cas-remote=unix:/mnt/casd.sock \\
                --buildbox-run=/mnt/run \\
                --runner-arg=--staging-mode=copy-or-link \\
                {" ".join(properties)} {worker.name}
        """
        (folder / "casd.sock").unlink(missing_ok=True)
        # A worker that was killed leaves the files of its last action.
        shutil.rmtree(folder / "cache/cas/staging", ignore_errors=True)
        self._start(
            worker.name,
            [
                *("bwrap", "--ro-bind", self._sid, "/"),
                *("--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),
                *("--bind", folder, "/mnt"),
                # All processes that the worker started end with it.
                *("--unshare-pid", "--die-with-parent"),
                *("--unshare-uts", "--hostname", worker.name),
                *("--clearenv", "--setenv", "PATH", "/usr/bin:/bin"),
                # An action's own /tmp must not hide buildbox's TMPDIR.
                *("--setenv", "TMPDIR", "/mnt/tmp"),
                *("/bin/sh", "-c", script),
            ],
        )
        self._wait(worker.name, (folder / "ready").exists)

    def kill_worker(self, name: str) -> None:
        """Kills a worker, as a crash of its machine would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(_END_SECONDS)

    def processes(self, worker: str) -> dict[int, str]:
        """Returns the command of each process in a worker, by process id."""
        found: dict[int, str] = {}
        pids = [self._processes[worker].pid]
        while pids:
            pid = pids.pop()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                proc = pathlib.Path("/proc", str(pid))
                found[pid] = (proc / "cmdline").read_text().replace("\0", " ")
                # Any thread may have started a child.
                for children in proc.glob("task/*/children"):
                    pids += map(int, children.read_text().split())
        return found

    def stop(self) -> None:
        """Ends all processes, the last one first."""
        for name in reversed(list(self._processes)):
            if name not in _ENGINE:
                self.kill_worker(name)
        for process in reversed(self._processes.values()):
            # SIGINT is the fastest clean shutdown of PostgreSQL and BuildGrid.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def check(self) -> None:
        """Raises PoolError if a process has ended that should be running."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise PoolError(self._ended(name))

    def _run(
        self,
        name: str,
        command: Sequence[str | pathlib.Path],
        user: str | None = None,
    ) -> None:
        with open(self.log(name), "ab") as log:
            result = subprocess.run(
                command,
                check=False,
                cwd="/",
                env=_environment(),
                stderr=log,
                stdin=subprocess.DEVNULL,
                stdout=log,
                user=user,
            )
        if result.returncode:
            raise PoolError(self._ended(name))

    def _start(
        self,
        name: str,
        command: Sequence[str | pathlib.Path],
        user: str | None = None,
    ) -> None:
        with open(self.log(name), "ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                cwd="/",
                env=_environment(),
                # Ctrl-C must reach only this program, which stops the others.
                start_new_session=True,
                stderr=log,
                stdin=subprocess.DEVNULL,
                stdout=log,
                user=user,
            )

    def _wait(self, name: str, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise PoolError(
                    f"{name} is not ready after {_START_SECONDS} s: see "
                    f"{self.log(name)}."
                )
            time.sleep(0.05)

    def _ended(self, name: str) -> str:
        lines = self.log(name).read_text(errors="replace").splitlines()
        return f"{name} has ended; its last lines: {' '.join(lines[-5:])}"


@contextlib.contextmanager
def start(
    folder: pathlib.Path,
    port: int,
    sid: pathlib.Path,
    workers: Sequence[Worker],
) -> Iterator[Pool]:
    """Runs a pool, and leaves no process behind.

    Args:
        folder: An empty folder for the pool's files.
        port: BuildGrid's port on loopback.
        sid: A directory with Debian sid.
        workers: The workers to start.

    Raises:
        PoolError: Something does not start.
    """
    if _answers(port):
        raise PoolError(
            f"expected port {port} to be free, but something listens there: "
            "choose another by --port."
        )
    # PostgreSQL runs as another user, who must get in.
    folder.chmod(0o755)
    pool = Pool(folder, port, sid)
    try:
        pool.start_engine()
        for worker in workers:
            pool.start_worker(worker)
        yield pool
    finally:
        pool.stop()


def _environment() -> dict[str, str]:
    """Returns the environment for every process."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }


def _postgres_programs() -> pathlib.Path:
    """Returns the folder of PostgreSQL's programs.

    Raises:
        PoolError: PostgreSQL is not installed.
    """
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    try:
        pwd.getpwnam(_POSTGRES)
    except KeyError:
        found = []
    if not found:
        raise PoolError(
            "expected PostgreSQL, found none: run `apt-get install postgresql`."
        )
    return found[-1].parent


def _answers(port: int) -> bool:
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=1),
    ):
        return True
    return False
