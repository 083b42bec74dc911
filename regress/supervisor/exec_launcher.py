"""Starts each rank from scratch, in an interpreter of its own."""

import os
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from regress.supervisor import errors, launcher, python_process


class ExecLauncher:
    """Slow, and as plain as can be: what the zygote is measured against.

    A context manager only because every launcher is.
    """

    name = "exec"

    def __init__(
        self, module: str, interpreter: Sequence[str] = (sys.executable,)
    ) -> None:
        """Names the trainer.

        Args:
            module: The trainer's.
            interpreter: The command that starts Python, its program as a path:
                an emulator may stand before it.

        Raises:
            SupervisorError: There is no such module.
        """
        launcher.check_module(module)
        self._module = module
        self._interpreter = interpreter

    def __enter__(self) -> Self:
        """Does nothing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Does nothing."""

    def start(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: int,
        descriptors: Mapping[str, int],
    ) -> int:
        """Starts a rank: see `launcher.Launcher`."""
        numbers = {name: str(fd) for name, fd in descriptors.items()}
        try:
            return python_process.spawn(
                "regress.supervisor.exec_rank",
                [
                    str(os.getpid()),
                    ",".join(numbers.values()),
                    self._module,
                    *argv,
                ],
                environment={**environment, **numbers},
                output=output,
                descriptors=descriptors.values(),
                interpreter=self._interpreter,
            )
        except OSError as error:
            raise errors.SupervisorError(
                f"A rank cannot be started: {error.strerror}."
            ) from error
