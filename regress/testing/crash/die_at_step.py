"""The steps of a rank's save, counted, and a rank that dies at one of them."""

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
    """The flag that has the instrumented trainer count, and die.

    Steps are counted from the creation of the rank's file: that is 1. What
    comes before, the folders, is another for each rank, as one of them makes
    what all need.

    Args:
        iteration: Of the save that is meant.
        die_at: By rank, the step after which it dies by SIGKILL: "4"; in the
            middle of which, if it is a write: "2h"; before all: "0".
        logs: A folder. A rank's file there gets a line for each step.
    """
    return instrumentation.flag(
        __name__, json.dumps([iteration, [*die_at.items()], str(logs)])
    )


def log(logs: pathlib.Path, rank: int) -> pathlib.Path:
    """The file with a rank's steps."""
    return logs / f"rank_{rank}.steps"


def install(argument: str) -> None:
    """Puts in place what `flag` says."""
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
