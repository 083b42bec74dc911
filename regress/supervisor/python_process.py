"""Starts a module in a fresh interpreter."""

import os
import pathlib
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence


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

    The child leads a session of its own, has no signal blocked or ignored and
    finds modules where this process does.

    Args:
        module: Dotted name.
        arguments: The child's sys.argv[1:].
        environment: Additions to this process's.
        output: File descriptor that becomes stdout and stderr; stdin is empty.
        descriptors: Those that the child keeps under the same number. It
            inherits no other that Python made.
        interpreter: The command that starts Python, its program as a path.

    Raises:
        OSError: The process cannot be started.
    """
    return os.posix_spawn(
        interpreter[0],
        # All of sys.path is handed on, so the working directory must not be
        # put before it: -P.
        [*interpreter, "-P", "-m", module, *arguments],
        {**os.environ, "PYTHONPATH": _python_path(), **environment},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
            # To itself: the copy is not closed by exec.
            *((os.POSIX_SPAWN_DUP2, fd, fd) for fd in descriptors),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )


def _python_path() -> str:
    # An empty entry is the working directory.
    return os.pathsep.join(
        str(pathlib.Path(path).absolute()) for path in sys.path
    )
