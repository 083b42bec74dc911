"""Stands between the supervisor and a command that knows nothing of it.

To the supervisor it is a rank, the only one: it reports the iterations that the
command's log names, says when the one to interrupt is reached, and ends as the
command does. The metrics that the log has become events.

The command is a child of this process and shares its process group. Its output
comes through a pipe, so that the log and the memory have bounds whatever it
prints. SIGTERM is passed on to the command alone, as by a scheduler. When the
command ends, so does all that it has left running.
"""

import argparse
import contextlib
import os
import pathlib
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Protocol

from google.protobuf import text_format

from regress.case import case_pb2
from regress.client import channel
from regress.run import control, event_stream, exit_codes, run_pb2
from regress.supervisor import bounded_log, cancellation, linux, log_iteration

RANK = "rank"

# So many lines that a pattern matches are recorded.
MOST_LINES = 50_000

# What the supervisor tells its ranks is not for the command.
_OF_SUPERVISOR = (
    control.CONTROL_FD,
    control.STORE_PORT,
    control.STORE_FD,
    control.STANDS_BY,
    channel.FOLDER,
    channel.SAVES,
    channel.DIGEST_AFTER,
    channel.HOLD_AT,
)

# The folder whose sitecustomize has a Python program observed.
_SITE = pathlib.Path(channel.__file__).parent / "site"

# How much of a log line is told to whoever watches.
_TOLD = 120

# How long what the command has started may outlive it. Python's resource
# trackers, for one, end when they notice that it has ended.
_LINGER_SECONDS = 1.0


class Command(Protocol):
    """What this needs of a command that was started: a part of Popen."""

    @property
    def pid(self) -> int:
        """Its process."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """Its output."""

    def send_signal(self, sig: int) -> None:
        """Sends a signal to that process alone."""

    def kill(self) -> None:
        """Ends that process."""

    def wait(self) -> int:
        """Waits for the end; returns how it ended, as subprocess does."""


# Starts the command of a case in an environment. It may raise an OSError.
Start = Callable[[case_pb2.CommandCase, Mapping[str, str]], Command]


def start_program(
    case: case_pb2.CommandCase, environment: Mapping[str, str]
) -> Command:
    """Starts the command as a program of its own."""
    parent = os.getpid()
    return subprocess.Popen(
        case.command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # This process has one thread.
        preexec_fn=lambda: linux.die_with_parent(parent),
    )


def main(argv: Sequence[str], start: Start = start_program) -> int:
    """Runs the command of a case.

    Args:
        argv: The flags below.
        start: Starts it.

    Returns:
        The command's exit code. If a signal ended the command, it ends this
        process, too.
    """
    options = _parse(argv)
    case = text_format.Parse(
        options.case.read_text(encoding="utf-8"), case_pb2.CommandCase()
    )
    reached = _open_pipes(options.observed) if options.observed else -1
    with cancellation.StopSignals() as stop:
        try:
            command = start(case, _environment(case, options))
        except OSError as error:
            print(f"{case.command[0]} cannot be started: {error.strerror}.")
            return exit_codes.FAILURE
        relay = _Relay(case, options, command, stop, reached)
        status = relay.run()
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="command_relay")
    parser.add_argument("--case", type=pathlib.Path, required=True)
    parser.add_argument("--events", type=pathlib.Path, required=True)
    # Where to report that the iteration to interrupt is reached; 0 for none.
    parser.add_argument("--interrupt_at", type=int, default=0)
    # Whether to stop the command there, so that it gets no further.
    parser.add_argument("--stop", action="store_true")
    # The phase in which to, if ranks say where they are.
    parser.add_argument(
        "--phase",
        type=case_pb2.Phase.Value,
        default=case_pb2.BETWEEN_STEPS,
    )
    # The PYTHONPATH that the command would have without a supervisor.
    parser.add_argument("--python_path")
    # Where the ranks of a command that is observed write, and the file in which
    # all attempts remember their saves.
    parser.add_argument("--observed", type=pathlib.Path)
    parser.add_argument("--saves", type=pathlib.Path)
    # The iterations after which they are to digest their state.
    parser.add_argument("--digest_after", default="")
    return parser.parse_args(argv)


def _environment(
    case: case_pb2.CommandCase, options: argparse.Namespace
) -> dict[str, str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in (*_OF_SUPERVISOR, "PYTHONPATH")
    }
    if options.python_path:
        environment["PYTHONPATH"] = options.python_path
    # A line that stays in a buffer is seen too late, or never.
    environment["PYTHONUNBUFFERED"] = "1"
    environment |= case.environment
    if options.observed:
        environment |= _of_observed(options, environment)
    return environment


def _open_pipes(folder: pathlib.Path) -> int:
    """Makes the pipes for ranks; returns the one in which they say things."""
    for name in (channel.REACHED, channel.GO_ON):
        os.mkfifo(folder / name)
    # Both ends are opened, so that no reader is ever missing.
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
    return os.open(folder / channel.REACHED, flags)


def _of_observed(
    options: argparse.Namespace, environment: Mapping[str, str]
) -> dict[str, str]:
    """Returns the variables that have a command observed."""
    before = environment.get("PYTHONPATH")
    added = {
        "PYTHONPATH": os.pathsep.join(
            [str(_SITE), *([before] if before else [])]
        ),
        channel.FOLDER: str(options.observed),
        channel.SAVES: str(options.saves),
        channel.DIGEST_AFTER: options.digest_after,
    }
    if options.interrupt_at:
        phase = case_pb2.Phase.Name(options.phase)
        added[channel.HOLD_AT] = f"{options.interrupt_at}:{phase}"
    return added


class _Relay:
    """Follows a command that was started."""

    def __init__(
        self,
        case: case_pb2.CommandCase,
        options: argparse.Namespace,
        command: Command,
        stop: cancellation.StopSignals,
        reached: int,
    ) -> None:
        self._patterns = [re.compile(pattern.encode()) for pattern in case.log]
        self._per_epoch = case.iterations_per_epoch
        self._grace = case.grace_seconds
        self._interrupt_at = options.interrupt_at
        self._phase = options.phase
        # What the ranks of a command that is observed say; -1 if it is not.
        self._reached = reached
        self._said = bounded_log.Lines()
        self._observed: pathlib.Path | None = options.observed
        # Whether nobody has the other end of the pipe.
        self._closed = False
        self._stops = options.stop
        # Whether the iteration to interrupt is reached.
        self._due = False
        self._command = command
        self._stop = stop
        assert command.stdout is not None
        self._output = command.stdout.fileno()
        os.set_blocking(self._output, False)
        self._events = event_stream.Writer(options.events)
        self._control = control.Control.from_environment()
        self._log = bounded_log.BoundedLog(1)
        self._lines = bounded_log.Lines()
        self._end = run_pb2.CommandEnd()
        self._matched = 0
        self._last_line = b""
        self._latest = -1
        self._kill_at = 0.0

    def run(self) -> int:
        """Returns how the command ended, as subprocess does."""
        with linux.child_subreaper(), selectors.DefaultSelector() as selector:
            ended = os.pidfd_open(self._command.pid)
            for source in (
                self._output,
                ended,
                self._stop.fileno(),
                self._reached,
            ):
                if source >= 0:
                    selector.register(source, selectors.EVENT_READ)
            running = True
            while running:
                timeout = (
                    max(self._kill_at - time.monotonic(), 0)
                    if self._kill_at
                    else None
                )
                ready = [key.fd for key, _ in selector.select(timeout)]
                if self._stop.fileno() in ready:
                    self._pass_on()
                    selector.unregister(self._stop.fileno())
                if self._output in ready:
                    self._read()
                    if self._closed:
                        selector.unregister(self._output)
                if self._reached in ready:
                    self._hear()
                if self._due:
                    self._have_it_interrupted()
                if self._kill_at and time.monotonic() >= self._kill_at:
                    self._end.overstayed = True
                    self._kill_at = 0.0
                    self._command.kill()
                running = ended not in ready
            status = self._command.wait()
            os.close(ended)
            self._end_what_is_left()
        # What it printed last may still be in the pipe. A process that has the
        # pipe and survives may not hold this one up.
        while self._read():
            pass
        for line in self._lines.rest():
            self._look_at(line)
        self._end.bytes_left_out = self._log.left_out
        self._end.last_line = _told(self._last_line)
        self._events.write(run_pb2.Event(command_end=self._end))
        self._events.close()
        return status

    def _pass_on(self) -> None:
        self._stop.read()
        if self._stop.received is not None:
            self._command.send_signal(self._stop.received)
            if self._observed:
                # Kept open, so that nobody holds still from now on.
                os.open(
                    self._observed / channel.GO_ON, os.O_RDWR | os.O_CLOEXEC
                )
            self._kill_at = time.monotonic() + self._grace

    def _read(self) -> bool:
        """Reads a part of what there is; returns whether there was any."""
        try:
            some = os.read(self._output, 1 << 16)
        except BlockingIOError:
            return False
        self._closed = not some
        self._log.write(some)
        for line in self._lines.feed(some):
            self._look_at(line)
        return bool(some)

    def _hear(self) -> None:
        """Reads what ranks say of where they are."""
        for line in self._said.feed(os.read(self._reached, 1 << 16)):
            iteration, _, phase = line.decode(errors="replace").partition(" ")
            if phase:
                self._due |= self._interrupt_at > 0
            elif (number := log_iteration.number(iteration)) is not None:
                self._advance(number, "")

    def _look_at(self, line: bytes) -> None:
        if text := line.strip():
            self._end.lines += 1
            self._last_line = text
        for pattern in self._patterns:
            if match := pattern.search(line):
                self._report(line, match)
                return

    def _report(self, line: bytes, match: "re.Match[bytes]") -> None:
        texts = {
            name: text.decode(errors="replace")
            for name, text in match.groupdict().items()
            if text is not None
        }
        iteration = log_iteration.take(texts, self._per_epoch)
        if iteration is None:
            return
        if self._matched < MOST_LINES:
            printed = run_pb2.Printed(
                iteration=iteration,
                rank=log_iteration.number(texts.pop(RANK, "")),
            )
            printed.metrics.update(texts)
            self._events.write(run_pb2.Event(printed=printed))
        else:
            self._end.lines_left_out += 1
        self._matched += 1
        self._advance(iteration, _told(line))
        if self._reached < 0:
            self._due |= 0 < self._interrupt_at <= iteration

    def _advance(self, iteration: int, text: str) -> None:
        """Tells the supervisor of an iteration, if it is a new one."""
        if iteration > self._latest and (iteration or text):
            if self._latest < 0:
                self._events.write(
                    run_pb2.Event(command_processes=_processes(os.getpid()))
                )
            self._latest = iteration
            self._control.progress(iteration, text)

    def _have_it_interrupted(self) -> None:
        if self._stops:
            _stop_all(os.getpid())
            # What it has printed meanwhile would be lost with this process.
            while self._read():
                pass
        self._control.announce(self._interrupt_at, self._phase)
        self._interrupt_at = 0
        self._due = False

    def _end_what_is_left(self) -> None:
        deadline = time.monotonic() + _LINGER_SECONDS
        for pid in linux.children():
            pidfd = os.pidfd_open(pid)
            linux.ends_within(pidfd, deadline - time.monotonic())
            os.close(pidfd)
        self._end.left_running.extend(
            f"{line} (process {pid})"
            for pid in linux.descendants(os.getpid())
            # A zombie has none.
            if (line := linux.command_line(pid)[:_TOLD])
        )
        linux.end_children(frozenset())


def _stop_all(root: int) -> None:
    """Stops a process's descendants, and those that they start meanwhile."""
    stopped: set[int] = set()
    while new := set(linux.descendants(root)) - stopped:
        for pid in new:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        stopped |= new


def _told(line: bytes) -> str:
    return line.decode(errors="replace").strip()[:_TOLD]


def _processes(root: int) -> run_pb2.CommandProcesses:
    """Finds the ranks among a process's descendants, by their environment.

    A rank's own children inherit what it was told, so its parent counts.
    """
    told = {pid: linux.environment(pid) for pid in linux.descendants(root)}
    found = _ranks(told, channel.RANK_VARIABLES)
    if not found and (found := _ranks(told, channel.LOCAL_RANK_VARIABLES)):
        # The first rank was started by nobody who knew.
        found.setdefault(0, linux.parent(min(found.values())))
    return run_pb2.CommandProcesses(ranks=found)


def _ranks(
    told: Mapping[int, Mapping[str, str]], variables: Sequence[str]
) -> dict[int, int]:
    found: dict[int, int] = {}
    for pid, environment in told.items():
        rank = channel.rank_by_environment(environment, variables)
        if rank is not None:
            found.setdefault(rank, pid)
    return found
