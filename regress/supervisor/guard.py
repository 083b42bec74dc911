"""A process that kills the ranks' process groups if the supervisor dies.

When the supervisor dies, even by SIGKILL, the kernel kills the ranks
(linux.die_with_parent), but not the processes that a rank has started. The
guard reads a pipe whose write end only the supervisor holds. At end of file it
kills every process group that it still watches.
"""

import contextlib
import os
import signal
import sys
from types import TracebackType
from typing import Self

from regress.supervisor import linux, python_process


class Guard:
    """The supervisor's side: a context manager that runs the guard process."""

    def __enter__(self) -> Self:
        """Starts the guard process."""
        reader, self._pipe = os.pipe()
        output = os.open(os.devnull, os.O_WRONLY)
        try:
            self.pid = python_process.spawn(
                __name__,
                [str(reader)],
                environment={},
                output=output,
                descriptors=[reader],
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(reader)
            os.close(output)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Makes the guard kill the groups it still watches, and reaps it."""
        os.close(self._pipe)
        os.waitpid(self.pid, 0)

    def watch(self, group: int) -> None:
        """Adds a process group."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Removes a process group, before its leader is reaped."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        # Somebody may have killed the guard; the ranks do not need it.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, line.encode())


def main() -> None:
    """Runs the guard process: `guard FD`."""
    pipe = int(sys.argv[1])
    linux.close_descriptors(keep=[pipe])
    groups = set()
    with open(pipe) as lines:
        for line in lines:
            group = int(line[1:])
            if line[0] == "+":
                groups.add(group)
            else:
                groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
