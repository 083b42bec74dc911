"""A process that imports a trainer once and forks its ranks.

`zygote PARENT CHANNEL MODULE ARGV...` calls `MODULE.preload(ARGV)`, reports on
its channel (a SOCK_SEQPACKET socket) that it is ready, and then forks a rank
for each request until the channel is closed. All messages are JSON:

  ready    {}
  request  {"argv": [...], "environment": {...}, "directory": "...",
            "descriptors": ["VARIABLE", ...]}, with the file descriptors of
            the rank's output and of each variable
  answer   {"pid": ...} or {"refusal": "why, in one sentence"}

A rank is forked twice. The intermediate process exits at once, so that the
supervisor, a child subreaper, becomes the rank's parent.
"""

import dataclasses
import gc
import importlib
import json
import os
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import NoReturn

from regress.run import control
from regress.supervisor import linux, rank_program, standard_streams

# Limits of a request: its size and its number of file descriptors.
_REQUEST_BYTES = 1 << 20
_REQUEST_DESCRIPTORS = 16


class _RefusalError(Exception):
    """A rank cannot be forked; the message is the answer's refusal."""


@dataclasses.dataclass(frozen=True)
class _Request:
    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    output: int
    descriptors: Mapping[str, int]


class _Zygote:
    def __init__(
        self, supervisor: int, channel: socket.socket, trainer: ModuleType
    ) -> None:
        self._supervisor = supervisor
        self._channel = channel
        self._trainer = trainer

    def serve(self) -> None:
        self._send({})
        while (request := self._receive()) is not None:
            try:
                self._send({"pid": self._fork_rank(request)})
            except _RefusalError as refusal:
                self._send({"refusal": str(refusal)})
            finally:
                for fd in (request.output, *request.descriptors.values()):
                    os.close(fd)

    def _receive(self) -> _Request | None:
        packet, fds, _, _ = socket.recv_fds(
            self._channel, _REQUEST_BYTES, _REQUEST_DESCRIPTORS
        )
        if not packet:
            return None
        for fd in fds:
            os.set_inheritable(fd, False)
        fields = json.loads(packet)
        return _Request(
            argv=fields["argv"],
            environment=fields["environment"],
            directory=fields["directory"],
            output=fds[0],
            descriptors=dict(zip(fields["descriptors"], fds[1:], strict=True)),
        )

    def _send(self, message: object) -> None:
        self._channel.send(json.dumps(message).encode())

    def _fork_rank(self, request: _Request) -> int:
        """Forks a rank as a child of the supervisor and returns its pid."""
        threads = linux.thread_names()
        if len(threads) > 1:
            raise _RefusalError(
                f"The zygote of {self._trainer.__name__} must have one thread"
                f" to be forked safely, but it has {len(threads)}"
                f" ({', '.join(threads)}): start none in preload() (numpy's"
                " pool has none with OMP_NUM_THREADS=1 in the environment), or"
                " use the exec launcher."
            )
        pid_reader, pid_writer = os.pipe()
        gate_reader, gate_writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        intermediate = _fork()
        if intermediate == 0:
            try:
                rank = _fork()
            except _RefusalError:
                os._exit(1)
            if rank == 0:
                os.close(pid_reader)
                os.close(pid_writer)
                os.close(gate_writer)
                self._be_a_rank(request, gate_reader)
            os.write(pid_writer, str(rank).encode())
            os._exit(0)
        os.close(pid_writer)
        os.close(gate_reader)
        os.waitpid(intermediate, 0)
        # The rank now has its new parent: let it run.
        os.close(gate_writer)
        with open(pid_reader, "rb") as reader:
            pid = reader.read()
        if not pid:
            raise _RefusalError("The zygote cannot fork: too many processes.")
        return int(pid)

    def _be_a_rank(self, request: _Request, gate: int) -> NoReturn:
        try:
            os.read(gate, 1)
            os.close(gate)
            linux.die_with_parent(self._supervisor)
            os.setsid()
            self._channel.close()
            standard_streams.redirect(request.output)
            os.close(request.output)
            os.chdir(request.directory)
            os.environ.update(request.environment)
            os.environ.update(
                {name: str(fd) for name, fd in request.descriptors.items()}
            )
            if control.stand_by():
                rank_program.run(self._trainer, request.argv)
        except BaseException:
            traceback.print_exc()
        finally:
            # A rank must never return to the zygote's loop.
            os._exit(1)


def _fork() -> int:
    try:
        return os.fork()
    except OSError as error:
        raise _RefusalError(
            f"The zygote cannot fork: {error.strerror}."
        ) from error


def main() -> None:
    """Runs the zygote process."""
    parent, channel_fd, module, *argv = sys.argv[1:]
    linux.die_with_parent(int(parent))
    linux.close_descriptors(keep=[int(channel_fd)])
    standard_streams.buffer_by_line()
    channel = socket.socket(fileno=int(channel_fd))
    channel.set_inheritable(False)
    trainer = importlib.import_module(module)
    trainer.preload(argv)
    # Otherwise the first garbage collection in a rank would unshare every page
    # of the zygote's imports.
    gc.collect()
    gc.freeze()
    _Zygote(int(parent), channel, trainer).serve()


if __name__ == "__main__":
    main()
