"""Where a rank is, for who reads it after the rank was killed.

The phase is kept in memory that is mapped to a file: the kernel has it as soon
as it is set, and to set it costs no call. A phase is what the trainer does at
one of its hooks, or a step of writing a checkpoint.
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
    """One rank's phase: the innermost counts."""

    def __init__(self, path: pathlib.Path) -> None:
        """Makes the file."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            os.ftruncate(fd, _BYTES)
            self._memory = mmap.mmap(fd, _BYTES)
        finally:
            os.close(fd)
        self._phase = ""

    def set(self, phase: str) -> None:
        """Says where the rank is from now on."""
        self._phase = phase
        self._memory[:] = phase.encode()[:_BYTES].ljust(_BYTES, b"\0")

    @contextlib.contextmanager
    def at(self, phase: str) -> Iterator[None]:
        """Says where the rank is while the context is entered."""
        before = self._phase
        self.set(phase)
        try:
            yield
        finally:
            self.set(before)


def read(path: pathlib.Path) -> str:
    """The last phase; "" if there is none."""
    if not path.exists():
        return ""
    return path.read_bytes().rstrip(b"\0").decode()


def flag(folder: pathlib.Path) -> str:
    """The flag that has the instrumented trainer leave markers in a folder."""
    return instrumentation.flag(__name__, str(folder))


def path(folder: pathlib.Path, rank: int) -> pathlib.Path:
    """The file of a rank's marker."""
    return folder / f"rank_{rank}"


def pid_path(folder: pathlib.Path, rank: int) -> pathlib.Path:
    """The file with a rank's pid, which it writes when it begins."""
    return folder / f"rank_{rank}.pid"


def install(argument: str) -> None:
    """Leaves this rank's marker, and its pid, in a folder."""
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
        with self._marker.at(f"save: {kind} {_kind(path)}"):
            return step()


def _kind(path: pathlib.Path) -> str:
    """What a path is, the same for all ranks and iterations."""
    name = path.name.removesuffix(durable.ASIDE)
    if name == layout.MANIFEST:
        return "the manifest"
    if name == layout.TRACKER:
        return "the tracker"
    if name == pathlib.PurePath(layout.rank_file(0)).name:
        return "a rank's file"
    if name.startswith("mp_rank"):
        return "a rank's folder"
    return "a folder"
