"""A process that kills what the ranks have started if the supervisor dies.

When the supervisor dies, even by SIGKILL, the kernel kills the ranks
(linux.die_with_parent), but not the processes that a rank has started. The
guard reads a pipe whose write end only the supervisor holds. At end of file it
kills every process group that it still watches.

A process that made a session of its own is in none of these groups. So every
process that the supervisor starts is given a mark, which its descendants
inherit (see python_process.py), and the guard kills those that have it. A
subreaper would need no mark, but the guard cannot be theirs: orphans go to an
ancestor, and an ancestor of the supervisor is what Bazel would wait for, and
kill, in its place.
"""

import contextlib
import os
import select
import signal
import sys
from types import TracebackType
from typing import Self

from regress.supervisor import linux, python_process

# The supervisor's last message, after which it cleans up itself.
_ALIVE = ".\n"
# Time limit for the guard to be ready; without it the ranks run all the same.
_SECONDS_TO_READY = 10


class Guard:
    """The supervisor's side: a context manager that runs the guard process."""

    def __enter__(self) -> Self:
        """Starts the guard process."""
        reader, self._pipe = os.pipe()
        self._ready, ready = os.pipe()
        self._is_ready = False
        output = os.open(os.devnull, os.O_WRONLY)
        try:
            self.pid = python_process.spawn(
                __name__,
                [str(reader), str(ready), python_process.own_mark()],
                environment={},
                output=output,
                descriptors=[reader, ready],
                # A supervisor with several attempts has several guards, which
                # must not kill each other.
                marked=False,
            )
        except BaseException:
            os.close(self._pipe)
            os.close(self._ready)
            raise
        finally:
            os.close(reader)
            os.close(ready)
            os.close(output)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Makes the guard kill the groups it still watches, and reaps it."""
        self._tell(_ALIVE)
        os.close(self._pipe)
        os.close(self._ready)
        # Somebody may have stopped it.
        os.kill(self.pid, signal.SIGCONT)
        os.waitpid(self.pid, 0)

    def watch(self, group: int) -> None:
        """Adds a process group."""
        if not self._is_ready:
            # One that is stopped before it is ready would stay so. It closes
            # its end of the pipe; its death does, too.
            select.select([self._ready], [], [], _SECONDS_TO_READY)
            self._is_ready = True
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Removes a process group, before its leader is reaped."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        # Somebody may have killed the guard; the ranks do not need it.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, line.encode())


def main() -> None:
    """Runs the guard process: `guard FD READY_FD MARK`."""
    pipe, mark = int(sys.argv[1]), sys.argv[3]
    # A guard that was stopped goes on when it is needed.
    linux.signal_with_parent(signal.SIGCONT)
    # READY_FD among them, which tells the supervisor.
    linux.close_descriptors(keep=[pipe])
    groups = set()
    supervisor_died = True
    with open(pipe) as lines:
        for line in lines:
            if line == _ALIVE:
                supervisor_died = False
                continue
            group = int(line[1:])
            if line[0] == "+":
                groups.add(group)
            else:
                groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    if supervisor_died:
        _kill_marked(mark)


def _kill_marked(mark: str) -> None:
    """Kills all processes that the supervisor has marked."""
    # Those that became another user's.
    out_of_reach: set[int] = set()
    while marked := python_process.processes_with(mark) - out_of_reach:
        for one in marked:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError:
                out_of_reach.add(one)


if __name__ == "__main__":
    main()
