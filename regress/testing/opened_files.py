"""Records every file that a run's Python processes open, write or rename.

`traced` returns the environment in which a program and all the Python processes
that it starts record themselves, from their start on, by an audit hook. This
needs neither a tracer nor a change to the program. What native code opens, such
as shared libraries, is not seen.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Iterable
from typing import Any

# The folder of the records, one a process.
_VARIABLE = "REGRESS_OPENED_FILES"
_SITECUSTOMIZE = (
    "from regress.testing import opened_files\nopened_files.start()\n"
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# How many of the first arguments of these events are paths that are written.
# Folders, and what is deleted, are of no interest.
_WRITE_EVENTS = {
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
}


@dataclasses.dataclass(frozen=True)
class Opened:
    """A file that a process opened.

    Attributes:
        role: The process: the last part of its main module's name, or "rank"
            for a fork of a zygote.
        writes: Whether it may have been written.
        path: Its absolute path.
    """

    role: str
    writes: bool
    path: str


def traced(folder: pathlib.Path) -> dict[str, str]:
    """Returns environment variables for a program that is to be traced.

    Args:
        folder: An empty folder for the records.
    """
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
    return {
        _VARIABLE: str(folder),
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]),
    }


def start() -> None:
    """Records this process and its forks. Called by Python's `site`."""
    folder = pathlib.Path(os.environ[_VARIABLE])
    main = sys.orig_argv[sys.orig_argv.index("-m") + 1].rpartition(".")[2]
    pid = os.getpid()
    seen: set[tuple[int, bool, str]] = set()

    def record(writes: bool, path: Any) -> None:
        if isinstance(path, int) or path is None:
            return
        file = pathlib.Path(os.fsdecode(path))
        # shutil.rmtree opens names relative to a folder that it has opened.
        if not (writes or file.is_absolute() or file.exists()):
            return
        if file.is_dir():
            return
        me = os.getpid()
        one = me, writes, str(file.absolute())
        if one in seen:
            return
        log = folder / f"{me}.opened"
        # The hook hears of the log, too. It is opened each time, as a process
        # may close all descriptors that it does not know.
        seen.update((one, (me, True, str(log))))
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        role = main if me == pid else "rank"
        os.write(fd, f"{role}\t{int(writes)}\t{one[2]}\n".encode())
        os.close(fd)

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            record(bool(flags & _WRITES), path)
        elif event in _WRITE_EVENTS:
            for path in arguments[: _WRITE_EVENTS[event]]:
                record(True, path)

    sys.addaudithook(hear)


def read(folder: pathlib.Path) -> Iterable[Opened]:
    """Reads what was recorded."""
    for log in sorted(folder.glob("*.opened")):
        for line in log.read_text().splitlines():
            role, writes, path = line.split("\t")
            yield Opened(role, writes == "1", path)
