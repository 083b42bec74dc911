"""A process that kills what the ranks have started if the supervisor dies.

When the supervisor dies, even by SIGKILL, the kernel kills the ranks
(linux.die_with_parent), but not the processes that a rank has started. The
guard reads a pipe whose write end only the supervisor holds. At end of file it
kills every process group that it still watches.

A process that made a session of its own is in none of these groups, and once
its ancestors are dead, nothing shows where it came from but its environment.
So every process that the supervisor starts is given a mark there, which its
descendants inherit, and the guard kills those that have it. A process that
clears its environment escapes. A subreaper would not let it, but would have to
be an ancestor of the supervisor; Bazel, which waits for the supervisor itself,
is one.
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
                # A supervisor with several attempts has several guards, which
                # must not kill each other.
                environment={
                    python_process.MARKS: python_process.inherited_marks()
                },
                output=output,
                descriptors=[reader, ready],
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
    while marked := linux.processes_with(python_process.MARKS, mark):
        for one in marked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)


if __name__ == "__main__":
    main()
