"""Counts the steps of a rank's save and kills the rank at one of them."""

import json
import os
import pathlib
import signal
from collections.abc import Callable, Mapping
from typing import TypeVar

from regress.checkpoint import durable, layout
from regress.testing import instrumentation

_T = TypeVar("_T")

_RANK_FILE = pathlib.PurePath(layout.rank_file(0)).name


def flag(iteration: int, die_at: Mapping[int, str], logs: pathlib.Path) -> str:
    """Returns the instrumented trainer's flag to count steps and die.

    Step 1 is the creation of the rank's file. The creation of folders before
    that is not counted: whichever rank comes first does it for all.

    Args:
        iteration: The iteration of the save.
        die_at: By rank, where it dies by SIGKILL: "4" after step 4, "2h" in
            the middle of step 2 if that is a write, "0" before step 1.
        logs: A folder for the ranks' logs, which have a line per step.
    """
    return instrumentation.flag(
        __name__, json.dumps([iteration, [*die_at.items()], str(logs)])
    )


def log(logs: pathlib.Path, rank: int) -> pathlib.Path:
    """Returns the path of the log with a rank's steps."""
    return logs / f"rank_{rank}.steps"


def install(argument: str) -> None:
    """Installs the disk that counts the steps. See `flag`."""
    iteration, die_at, logs = json.loads(argument)
    rank = instrumentation.rank()
    instrumentation.with_disk(
        lambda disk: _CountedDisk(
            disk,
            layout.folder(pathlib.Path(), iteration).name,
            dict(die_at).get(rank),
            log(pathlib.Path(logs), rank),
        )
    )()


class _CountedDisk(instrumentation.WrappedDisk):
    def __init__(
        self,
        disk: durable.Disk,
        folder: str,
        die_at: str | None,
        log: pathlib.Path,
    ) -> None:
        super().__init__(disk)
        self._folder = folder
        self._die_at = die_at
        self._log = log
        self._count = 0

    def around(
        self, kind: str, path: pathlib.Path, step: Callable[[], _T]
    ) -> _T:
        if not (self._count or self._is_first(path)):
            return step()
        if not self._count:
            self._die_if_at("0")
        self._count += 1
        result = step()
        with open(self._log, "a") as lines:
            lines.write(f"{kind} {path.name}\n")
        self._die_if_at(str(self._count))
        return result

    def write(self, fd: int, data: memoryview) -> int:
        if self._count and self._die_at == f"{self._count + 1}h":
            self.disk.write(fd, data[: len(data) // 2])
            self._die_if_at(self._die_at)
        return super().write(fd, data)

    def _is_first(self, path: pathlib.Path) -> bool:
        begins = path.name == _RANK_FILE + durable.ASIDE
        return begins and self._folder in path.parts

    def _die_if_at(self, step: str) -> None:
        if step == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)
