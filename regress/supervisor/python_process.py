"""Starts a module in a new interpreter."""

import os
import pathlib
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence

from regress.supervisor import linux

# Environment variable of all processes that were started here, and of their
# descendants: a word for each process that started one, its pid and its time.
MARKS = "REGRESS_STARTED_BY"


def spawn(
    module: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: int,
    descriptors: Iterable[int] = (),
    interpreter: Sequence[str] = (sys.executable,),
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

    Raises:
        OSError: The process cannot be started.
    """
    return os.posix_spawn(
        interpreter[0],
        # The child gets all of sys.path; -P keeps it from prepending the
        # working directory.
        [*interpreter, "-P", "-m", module, *arguments],
        {
            **os.environ,
            "PYTHONPATH": search_path(),
            MARKS: f"{inherited_marks()} {own_mark()}".strip(),
            **environment,
        },
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
            # Duplicating a descriptor to itself clears its close-on-exec flag.
            *((os.POSIX_SPAWN_DUP2, fd, fd) for fd in descriptors),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )


def own_mark() -> str:
    """Returns this process's word in MARKS."""
    return f"{os.getpid()}:{linux.start_time(os.getpid())}"


def inherited_marks() -> str:
    """Returns the marks that this process was started with."""
    return os.environ.get(MARKS, "")


def search_path() -> str:
    """Returns this process's module search path, as PYTHONPATH for a child."""
    # absolute() is needed because an empty entry means the working directory.
    return os.pathsep.join(
        str(pathlib.Path(path).absolute()) for path in sys.path
    )
