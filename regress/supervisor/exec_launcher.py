"""Starts each rank in a new interpreter."""

import os
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from regress.supervisor import errors, launcher, python_process


class ExecLauncher:
    """The slow and simple launcher, the reference for the zygote.

    It is a context manager only because every launcher is one.
    """

    name = "exec"

    def __init__(
        self, module: str, interpreter: Sequence[str] = (sys.executable,)
    ) -> None:
        """Configures the launcher.

        Args:
            module: The trainer's module.
            interpreter: The command that starts Python; its first word is a
                path. An emulator may come first.

        Raises:
            SupervisorError: The module does not exist.
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
        """Starts a rank; see `launcher.Launcher`."""
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
