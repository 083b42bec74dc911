"""Runs a client's script in forked ranks, so that imports are made once.

To import torch and a framework takes a rank longer than a short job does, and a
catalogue of faults has hundreds of ranks. This is a trainer to the supervisor's
zygote: a launch is a fork of it, which is the relay of a command. In place of
the command it forks the ranks, tells each what torchrun would tell it, and has
it run the script, as `python script.py` would:

    command: "{python}" command: "script.py" ...

A rank gets its environment after its imports. Hooks and faults take what they
wait for from there, and see the same program.
"""

import atexit
import functools
import importlib
import os
import pathlib
import runpy
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, NoReturn

from regress.case import case_pb2
from regress.supervisor import command_relay, linux, standard_streams

# What reads the environment as it is imported.
_CLIENT = "regress.client"


def preload(argv: Sequence[str]) -> None:
    """Imports modules, by name, and what the first optimizer imports."""
    for name in argv:
        importlib.import_module(name)
    torch = importlib.import_module("torch")
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))]).step()
    _keep_models(torch.nn.parallel.DistributedDataParallel)


def _keep_models(kind: Any) -> None:
    """Has no model of a kind end before its process does.

    As its last reference goes, torch waits for a thread of gloo, with the lock
    that this thread may be waiting for. Of the ends of such a script, one in
    four hung.
    """
    plain = kind.__init__
    kept: list[Any] = []

    @functools.wraps(plain)
    def init(model: Any, *args: Any, **named: Any) -> None:
        kept.append(model)
        plain(model, *args, **named)

    kind.__init__ = init


def main(argv: Sequence[str]) -> int:
    """Relays between the supervisor and forked ranks."""
    return command_relay.main(argv, _start)


class _Forked:
    """A process that was forked, as `command_relay.Command`."""

    def __init__(self, pid: int, output: int) -> None:
        self.pid = pid
        self.stdout: IO[bytes] | None = os.fdopen(output, "rb", buffering=0)

    def send_signal(self, sig: int) -> None:
        os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


def _start(
    case: case_pb2.CommandCase, environment: Mapping[str, str]
) -> command_relay.Command:
    reader, writer = os.pipe()
    parent = os.getpid()

    def launch() -> int:
        linux.die_with_parent(parent)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        standard_streams.redirect(writer)
        linux.close_descriptors(keep=[])
        _change_environment(environment)
        return _run_ranks(case)

    pid = _fork(launch)
    os.close(writer)
    return _Forked(pid, reader)


def _fork(act: Callable[[], int]) -> int:
    """Forks a process that acts and ends; returns its pid."""
    pid = os.fork()
    if not pid:
        _act_and_end(act)
    return pid


def _act_and_end(act: Callable[[], int]) -> NoReturn:
    code = 1
    try:
        code = act()
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _change_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    own = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in own if path and path not in sys.path]


def _run_ranks(case: case_pb2.CommandCase) -> int:
    """Runs all ranks; if one fails, ends the others, as torchrun does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "WORLD_SIZE": case.ranks,
        "LOCAL_WORLD_SIZE": case.ranks,
        "NODE_RANK": 0,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    parent = os.getpid()
    pids = set()
    for rank in range(case.ranks):
        told = {**shared, "RANK": rank, "LOCAL_RANK": rank}

        def run(told: Mapping[str, object] = told) -> int:
            linux.die_with_parent(parent)
            os.environ.update({name: str(one) for name, one in told.items()})
            return _run_script(case.command[1:])

        pids.add(_fork(run))
    code = 0
    while pids:
        pid, status = os.wait()
        pids.discard(pid)
        if status and not code:
            code = 1
            for other in pids:
                os.kill(other, signal.SIGKILL)
    return code


def _run_script(command: Sequence[str]) -> int:
    """Does what Python does in a new process; returns its exit code."""
    for name in list(sys.modules):
        if name == _CLIENT or name.startswith(f"{_CLIENT}."):
            del sys.modules[name]
    importlib.invalidate_caches()
    sys.modules.pop("sitecustomize", None)
    importlib.import_module("sitecustomize")
    script, *_ = command
    sys.argv = list(command)
    sys.path.insert(0, str(pathlib.Path(script).parent.absolute()))
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    atexit._run_exitfuncs()
    return 0
