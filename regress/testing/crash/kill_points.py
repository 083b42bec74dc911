"""Counts the points at which a rank may be killed, and kills it at one.

The points of a rank are in two series: *steps* are the entries of the trainer's
hooks; *operations* are those on the disk, with one more point in the middle of
each write. A rank's series are the same in every attempt that begins from the
same checkpoint, on any machine, so a number in one of them is a point that can
be found again.

The rank sends SIGKILL itself, so it is at the point while the kill is sent. A
supervisor that killed it from outside would have to be told first, by which
time the rank would be elsewhere or would have to wait: the same, with more
parts.
"""

import dataclasses
import functools
import json
import os
import pathlib
import signal
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from regress.checkpoint import durable
from regress.supervisor import linux
from regress.testing import instrumentation
from regress.testing.crash import phase_marker
from regress.trainer import hooks

_T = TypeVar("_T")

STEPS = "step"
OPERATIONS = "operation"


@dataclasses.dataclass(frozen=True)
class KillPoint:
    """A point of one attempt at which ranks are killed.

    Attributes:
        rank: The rank that is killed at the point.
        series: `STEPS` or `OPERATIONS`.
        number: The point's number in that series of the rank, from 1.
        others: The ranks that are killed with it, wherever they are.
    """

    rank: int
    series: str
    number: int
    others: tuple[int, ...] = ()


def flag(
    point: KillPoint | None, counted: pathlib.Path, logs: pathlib.Path
) -> str:
    """Returns the instrumented trainer's flag to count points and die at one.

    Args:
        point: The point; None to kill nobody and log all points.
        counted: Operations on the disk count only within this folder.
        logs: The folder of the ranks' phase markers, which gets the logs.
    """
    return instrumentation.flag(
        __name__,
        json.dumps(
            [
                dataclasses.astuple(point) if point else None,
                str(counted),
                str(logs),
            ]
        ),
    )


def killed(logs: pathlib.Path, rank: int) -> tuple[str, list[int]] | None:
    """Returns where a rank was killed, in words, and who was killed then.

    None if it has not reached its point.
    """
    path = _killed_path(logs, rank)
    if not path.exists():
        return None
    where, hit = json.loads(path.read_text())
    return where, hit


def counts(logs: pathlib.Path, rank: int, series: str) -> int:
    """Returns how many points of a series an attempt without a kill had."""
    path = _log_path(logs, rank)
    return path.read_text().splitlines().count(series) if path.exists() else 0


def install(argument: str) -> None:
    """Counts this rank's points. See `flag`."""
    fields, counted, logs = json.loads(argument)
    point = None
    if fields:
        rank, series, number, others = fields
        point = KillPoint(rank, series, number, tuple(others))
    counter = _Counter(point, pathlib.Path(logs))
    for hook in hooks.ALL:
        hook.wrap(functools.partial(_counted, counter, hook))
    instrumentation.with_disk(
        lambda disk: _CountedDisk(disk, counter, pathlib.Path(counted))
    )()


def _killed_path(logs: pathlib.Path, rank: int) -> pathlib.Path:
    return logs / f"rank_{rank}.killed"


def _log_path(logs: pathlib.Path, rank: int) -> pathlib.Path:
    return logs / f"rank_{rank}.points"


class _Counter:
    def __init__(self, point: KillPoint | None, logs: pathlib.Path) -> None:
        self._point = point
        self._logs = logs
        self._rank = instrumentation.rank()
        self._counts = {STEPS: 0, OPERATIONS: 0}
        # The iteration in progress, or 0.
        self.iteration = 0

    def at(self, series: str, where: str) -> None:
        """Counts one point, and dies if it is the one to die at."""
        self._counts[series] += 1
        if self._point is None:
            with open(_log_path(self._logs, self._rank), "a") as log:
                log.write(f"{series}\n")
        elif (self._rank, series, self._counts[series]) == (
            self._point.rank,
            self._point.series,
            self._point.number,
        ):
            self._die(f"iteration {self.iteration}, {where}")

    def _die(self, where: str) -> None:
        assert self._point is not None
        others = self._alive(self._point.others)
        _killed_path(self._logs, self._rank).write_text(
            json.dumps([where, [self._rank, *others]])
        )
        for pid in (*others.values(), os.getpid()):
            os.kill(pid, signal.SIGKILL)

    def _alive(self, ranks: Sequence[int]) -> dict[int, int]:
        """Returns the pids of those ranks that have started and not ended."""
        paths = {one: phase_marker.pid_path(self._logs, one) for one in ranks}
        pids = {
            one: int(path.read_text() or 0)
            for one, path in paths.items()
            if path.exists()
        }
        siblings = linux.children(os.getppid())
        return {one: pid for one, pid in pids.items() if pid in siblings}


def _counted(
    counter: _Counter, hook: hooks.Hook, original: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(original)
    def there(*args: Any, **kwargs: Any) -> Any:
        if hook is hooks.STEP:
            counter.iteration = args[0].state.iteration + 1
        counter.at(STEPS, f"before {hook.name}")
        return original(*args, **kwargs)

    return there


class _CountedDisk(instrumentation.WrappedDisk):
    """A disk that counts its operations within one folder.

    Whichever rank comes first creates a folder for all of them, so neither that
    nor the flush of its name is counted.
    """

    def __init__(
        self, disk: durable.Disk, counter: _Counter, counted: pathlib.Path
    ) -> None:
        super().__init__(disk)
        self._counter = counter
        self._counted = counted
        self._made: pathlib.Path | None = None

    def around(
        self, kind: str, path: pathlib.Path, step: Callable[[], _T]
    ) -> _T:
        counts = path.is_relative_to(self._counted)
        if kind == "make_folder":
            made = step()
            self._made = path.parent if made else None
            return made
        if kind == "flush_folder" and path == self._made:
            counts = False
        self._made = None
        if counts:
            self._counter.at(
                OPERATIONS, f"before {kind} {phase_marker.describe(path)}"
            )
        return step()

    def write(self, fd: int, data: memoryview) -> int:
        path = self._paths[fd]
        half = len(data) // 2
        if not half or not path.is_relative_to(self._counted):
            return super().write(fd, data)
        written = super().write(fd, data[:half])
        self._counter.at(
            OPERATIONS, f"halfway through write {phase_marker.describe(path)}"
        )
        return written + self.disk.write(fd, data[written:])
