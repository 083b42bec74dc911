"""The interface of the launchers, which start ranks.

A trainer is any module with two functions:

  preload(argv: Sequence[str]) -> None: does the heavy imports. It touches no
    accelerator, no process group and no random generator, and starts no
    thread.
  main(argv: Sequence[str]) -> int: runs one rank and returns its exit code.
    It must not rely on `preload` having run.

With every launcher, a rank is a child of the supervisor that leads its own
session and dies with the supervisor. Its stdin is empty, and its stdout and
stderr go to its log. `sys.argv[1:]` is `argv`. The working directory, the
module search path and the environment are the supervisor's; the environment
has additions.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Protocol

from regress.supervisor import errors


class Launcher(Protocol):
    """Starts ranks, one at a time."""

    @property
    def name(self) -> str:
        """The launcher's name in the run record."""

    def start(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: int,
        descriptors: Mapping[str, int],
    ) -> int:
        """Starts a rank as a child of this process and returns its pid.

        Args:
            argv: Arguments of the trainer's `main`.
            environment: Additions to the environment.
            output: File descriptor that becomes stdout and stderr.
            descriptors: File descriptors to pass to the rank, by the name of
                the environment variable that holds the number in the rank.
                The caller keeps its own copies open.

        Raises:
            SupervisorError: The rank cannot be started.
        """


def check_module(name: str) -> None:
    """Checks that a trainer's module can be found, without importing it.

    Raises:
        SupervisorError: The module cannot be found.
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
