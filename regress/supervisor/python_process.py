"""Starts a module in a new interpreter, with the mark of who started it.

A mark tells whose descendant a process is once its ancestors are dead, when
nothing else does. It is inherited in two ways: as a word in the environment,
and as the soft limit RLIMIT_RTTIME, which stays where a process clears its
environment. The limit is that of real-time processes and so high that none
reaches it; of several marks it has the last.
"""

import contextlib
import os
import pathlib
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence

from regress.supervisor import linux

# Environment variable of all processes that were started here, and of their
# descendants: a word for each process that started one, its pid and its time.
_MARKS = "REGRESS_STARTED_BY"

# In microseconds, 70,000 years.
_LEAST_LIMIT = 1 << 61
# No pid has more.
_PID_BITS = 22


def spawn(
    module: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: int,
    descriptors: Iterable[int] = (),
    interpreter: Sequence[str] = (sys.executable,),
    marked: bool = True,
) -> int:
    """Starts `python -m module arguments...` and returns its pid.

    The child leads its own session, has no blocked or ignored signals, and has
    the same module search path as this process.

    Args:
        module: Dotted name of the module.
        arguments: The child's sys.argv[1:].
        environment: Additions to this process's environment.
        output: File descriptor that becomes stdout and stderr; stdin is empty.
        descriptors: File descriptors that the child keeps, under the same
            numbers. It inherits no others that Python opened.
        interpreter: The command that starts Python; its first word is a path.
        marked: Whether the child gets this process's mark.

    Raises:
        OSError: The process cannot be started.
    """
    marks = f"{os.environ.get(_MARKS, '')} {own_mark() if marked else ''}"
    with contextlib.ExitStack() as limited:
        if marked:
            limited.enter_context(linux.limited_to(_limit(own_mark())))
        return os.posix_spawn(
            interpreter[0],
            # The child gets all of sys.path; -P keeps it from prepending the
            # working directory.
            [*interpreter, "-P", "-m", module, *arguments],
            {
                **os.environ,
                "PYTHONPATH": search_path(),
                _MARKS: marks.strip(),
                **environment,
            },
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
                # Duplicating a descriptor to itself clears its close-on-exec
                # flag.
                *((os.POSIX_SPAWN_DUP2, fd, fd) for fd in descriptors),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )


def own_mark() -> str:
    """Returns this process's mark."""
    return f"{os.getpid()}:{linux.start_time(os.getpid())}"


def processes_with(mark: str) -> set[int]:
    """Returns the pids of the other processes that inherited a mark.

    They are those that it was given to, and all of their descendants but those
    that have removed it from both places.
    """
    return linux.processes_with(_MARKS, mark) | linux.processes_limited_to(
        _limit(mark)
    )


def _limit(mark: str) -> int:
    """Returns the limit that stands for a mark, in microseconds."""
    pid, _, started = mark.partition(":")
    return _LEAST_LIMIT + (int(started) << _PID_BITS) + int(pid)


def search_path() -> str:
    """Returns this process's module search path, as PYTHONPATH for a child."""
    # absolute() is needed because an empty entry means the working directory.
    return os.pathsep.join(
        str(pathlib.Path(path).absolute()) for path in sys.path
    )
