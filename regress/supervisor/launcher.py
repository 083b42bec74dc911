"""How ranks come to life.

A trainer is any module with two functions:

  preload(argv: Sequence[str]) -> None: does the heavy imports. It touches no
    accelerator, no process group and no random generator, and starts no
    thread.
  main(argv: Sequence[str]) -> int: runs one rank and returns its exit code.
    It must not rely on `preload` having run.

Whatever the launcher, a rank is a child of the supervisor that leads a session
of its own and dies with the supervisor; its stdin is empty, stdout and stderr
are its log; `sys.argv[1:]` is `argv`; the working directory, the module search
path and the environment are the supervisor's, the latter with additions.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Protocol

from regress.supervisor import errors


class Launcher(Protocol):
    """Starts ranks, one at a time."""

    @property
    def name(self) -> str:
        """What the run record calls it."""

    def start(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: int,
        descriptors: Mapping[str, int],
    ) -> int:
        """Starts a rank and returns its pid, the pid of a child.

        Args:
            argv: What the trainer's `main` is given.
            environment: Additions to the environment.
            output: File descriptor that becomes stdout and stderr.
            descriptors: File descriptors to hand over, by the environment
                variable that tells the rank the number it has there. The caller
                keeps its own.

        Raises:
            SupervisorError: The rank cannot be started.
        """


def check_module(name: str) -> None:
    """Checks that a trainer's module can be found, without importing it.

    Raises:
        SupervisorError: It cannot.
    """
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise errors.SupervisorError(
            f"The trainer must be a Python module, but there is no {name!r} on"
            " the module search path: add its py_library to the test's deps."
        )
