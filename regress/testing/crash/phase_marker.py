"""Records a rank's current phase so that it can be read after a kill.

The phase is in memory that is mapped to a file. The kernel sees it as soon as
it is set, without a system call. A phase is the name of one of the trainer's
hooks, or a step of writing a checkpoint.
"""

import contextlib
import functools
import mmap
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from regress.checkpoint import durable, layout
from regress.testing import instrumentation
from regress.trainer import hooks

_T = TypeVar("_T")

_BYTES = 128


class PhaseMarker:
    """One rank's phase marker. Of nested phases, it shows the innermost."""

    def __init__(self, path: pathlib.Path) -> None:
        """Creates the file."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            os.ftruncate(fd, _BYTES)
            self._memory = mmap.mmap(fd, _BYTES)
        finally:
            os.close(fd)
        self._phase = ""

    def set(self, phase: str) -> None:
        """Sets the rank's current phase."""
        self._phase = phase
        self._memory[:] = phase.encode()[:_BYTES].ljust(_BYTES, b"\0")

    @contextlib.contextmanager
    def at(self, phase: str) -> Iterator[None]:
        """Sets the rank's phase while the context lasts."""
        before = self._phase
        self.set(phase)
        try:
            yield
        finally:
            self.set(before)


def read(path: pathlib.Path) -> str:
    """Returns the last phase; "" if there is none."""
    if not path.exists():
        return ""
    return path.read_bytes().rstrip(b"\0").decode()


def flag(folder: pathlib.Path) -> str:
    """Returns the instrumented trainer's flag to write markers to a folder."""
    return instrumentation.flag(__name__, str(folder))


def path(folder: pathlib.Path, rank: int) -> pathlib.Path:
    """Returns the path of a rank's marker."""
    return folder / f"rank_{rank}"


def pid_path(folder: pathlib.Path, rank: int) -> pathlib.Path:
    """Returns the path of the file with a rank's pid, written at its start."""
    return folder / f"rank_{rank}.pid"


def install(argument: str) -> None:
    """Writes this rank's marker and pid to the folder that is the argument."""
    folder = pathlib.Path(argument)
    rank = instrumentation.rank()
    marker = PhaseMarker(path(folder, rank))
    marker.set("start")
    pid_path(folder, rank).write_text(str(os.getpid()))
    for hook in hooks.ALL:
        hook.wrap(functools.partial(_marked, marker, hook.name))
    instrumentation.with_disk(lambda disk: _MarkedDisk(disk, marker))()


def _marked(
    marker: PhaseMarker, phase: str, original: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(original)
    def there(*args: Any, **kwargs: Any) -> Any:
        with marker.at(phase):
            return original(*args, **kwargs)

    return there


class _MarkedDisk(instrumentation.WrappedDisk):
    def __init__(self, disk: durable.Disk, marker: PhaseMarker) -> None:
        super().__init__(disk)
        self._marker = marker

    def around(
        self, kind: str, path: pathlib.Path, step: Callable[[], _T]
    ) -> _T:
        with self._marker.at(f"save: {kind} {describe(path)}"):
            return step()


def describe(path: pathlib.Path) -> str:
    """Describes a path independently of rank and iteration."""
    name = path.name.removesuffix(durable.ASIDE)
    if name == layout.MANIFEST:
        return "the manifest"
    if name == layout.TRACKER:
        return "the tracker"
    if ".index" in name:
        return "an index"
    if name == pathlib.PurePath(layout.rank_file(0)).name:
        return "a rank's file"
    if name.startswith("mp_rank"):
        return "a rank's folder"
    return "a folder"
