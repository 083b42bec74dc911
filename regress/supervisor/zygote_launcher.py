"""Forks each rank from a zygote, a process that has done the imports."""

import contextlib
import json
import os
import pathlib
import select
import signal
import socket
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from regress.supervisor import (
    errors,
    launcher,
    linux,
    log_tail,
    python_process,
    watched_clock,
)

# Number of lines of the zygote's log that an error quotes.
_QUOTED_LINES = 20
# Time limit for a ready zygote to fork a rank.
_FORK_SECONDS = 60.0
_ANSWER_BYTES = 1 << 16


class ZygoteLauncher:
    """A context manager that starts the zygote on entry and ends it on exit.

    A zygote may serve several attempts. Contexts of several zygotes nest.
    """

    name = "zygote"

    def __init__(
        self,
        module: str,
        preload_argv: Sequence[str],
        log: pathlib.Path,
        *,
        environment: Mapping[str, str] | None = None,
        start_seconds: float = 300.0,
    ) -> None:
        """Configures the zygote; starts nothing.

        Args:
            module: The trainer's module.
            preload_argv: Arguments of its `preload`.
            log: File for the zygote's stdout and stderr.
            environment: Variables added to the environment before the
                imports; the ranks inherit them.
            start_seconds: Time limit for `preload`.

        Raises:
            SupervisorError: The module does not exist.
        """
        launcher.check_module(module)
        self._module = module
        self._preload_argv = preload_argv
        self._log = log
        self._environment = environment or {}
        self._start_seconds = start_seconds

    def __enter__(self) -> Self:
        """Starts the zygote and waits until it has preloaded the trainer.

        Raises:
            SupervisorError: `preload` failed or took too long, or the log
                cannot be written.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(linux.child_subreaper())
            self._channel, channel = socket.socketpair(
                socket.AF_UNIX, socket.SOCK_SEQPACKET
            )
            stack.callback(self._channel.close)
            with channel:
                self._pid = self._spawn(channel.fileno())
            stack.callback(self._end)
            self._answer("preloading", self._start_seconds)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the zygote and all processes it left."""
        self._stack.close()

    def start(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: int,
        descriptors: Mapping[str, int],
    ) -> int:
        """Starts a rank; see `launcher.Launcher`."""
        request = {
            "argv": list(argv),
            "environment": dict(environment),
            "directory": str(pathlib.Path.cwd()),
            "descriptors": list(descriptors),
        }
        try:
            socket.send_fds(
                self._channel,
                [json.dumps(request).encode()],
                [output, *descriptors.values()],
            )
        except BrokenPipeError:
            raise self._ended("forking a rank") from None
        answer = self._answer("forking a rank", _FORK_SECONDS)
        if "refusal" in answer:
            raise errors.SupervisorError(answer["refusal"])
        return int(answer["pid"])

    def _spawn(self, channel: int) -> int:
        try:
            output = os.open(
                self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            )
        except OSError as error:
            raise errors.SupervisorError(
                f"The zygote's log {self._log} cannot be written:"
                f" {error.strerror}."
            ) from error
        try:
            return python_process.spawn(
                "regress.supervisor.zygote",
                [
                    str(os.getpid()),
                    str(channel),
                    self._module,
                    *self._preload_argv,
                ],
                environment=self._environment,
                output=output,
                descriptors=[channel],
            )
        finally:
            os.close(output)

    def _answer(self, doing: str, seconds: float) -> dict[str, Any]:
        """Waits for the zygote's next packet."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        clock = watched_clock.WatchedClock()
        deadline = clock.now() + seconds
        patience = seconds
        while not clock.look(lambda wait: poll.poll(1000 * wait), patience):
            if patience > 0:
                patience = deadline - clock.now()
                continue
            raise errors.SupervisorError(
                f"The zygote of {self._module} was still {doing} after"
                f" {seconds:g} s, its bound, and was ended. " + self._log_tail()
            )
        try:
            packet = self._channel.recv(_ANSWER_BYTES)
        except ConnectionResetError:
            packet = b""
        if not packet:
            raise self._ended(doing)
        answer: dict[str, Any] = json.loads(packet)
        return answer

    def _ended(self, doing: str) -> errors.SupervisorError:
        # The zygote has closed its channel, so it is about to exit. Do not reap
        # it here: `_end` does.
        end = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        assert end is not None
        how = (
            f"exit code {end.si_status}"
            if end.si_code == os.CLD_EXITED
            else signal.Signals(end.si_status).name
        )
        return errors.SupervisorError(
            f"The zygote of {self._module} ended with {how} while {doing}. "
            + self._log_tail()
        )

    def _log_tail(self) -> str:
        lines = log_tail.lines(self._log, _QUOTED_LINES)
        if not lines:
            return f"Its log {self._log} is empty."
        return "\n".join([f"The end of its log {self._log}:", *lines])

    def _end(self) -> None:
        # This includes the orphans that the zygote leaves.
        # A zygote waits for nothing in the kernel for long.
        linux.end_children(spare=linux.children() - {self._pid})
