"""The process calls of Linux that the standard library does not have.

psutil has none of the prctl calls. It could list children, but promises nothing
of zombies among them, and `end_children` is right only if it misses none. Its
import would also be a part of every rank's start, for two short functions.
"""

import contextlib
import ctypes
import os
import pathlib
import signal
from collections.abc import Collection, Iterator, Set

# Of linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Has the kernel SIGKILL this process when its parent dies.

    Holds across exec and ends with fork, so each process asks for itself.

    Args:
        parent: Pid that the parent must have; if it has another one, `parent`
            died before the kernel was asked, and this process exits at once.
    """
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)


@contextlib.contextmanager
def child_subreaper() -> Iterator[None]:
    """Makes this process the new parent of its descendants' orphans."""
    before = ctypes.c_int()
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))
    try:
        yield
    finally:
        _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(before.value))


def children(parent: int | None = None) -> set[int]:
    """The pids of a process's children, zombies included.

    Args:
        parent: The process's pid; by default this one's.
    """
    if parent is None:
        parent = os.getpid()
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            # It may be gone by now.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if int(_stat(int(entry.name))[1]) == parent:
                    found.add(int(entry.name))
    return found


def end_children(spare: Set[int]) -> None:
    """Kills and reaps all children, and the orphans that this brings home.

    This process must be a child subreaper. Afterwards it has no descendants
    but those to spare and theirs: whoever is not a child has an ancestor that
    is, so a look that finds no child has missed nobody.

    Args:
        spare: Pids of the children to leave alone.
    """
    while doomed := children() - spare:
        # A child's pid stays its own until it is reaped.
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        for pid in doomed:
            os.waitpid(pid, 0)


def process_state(pid: int) -> str:
    """The state of a process as a letter: R, S, D, T (stopped), Z, ...

    Raises:
        FileNotFoundError: There is no such process.
    """
    return _stat(pid)[0]


def thread_names() -> list[str]:
    """The names of this process's threads, the main thread's first."""
    return [
        (task / "comm").read_text().strip()
        for task in sorted(
            pathlib.Path("/proc/self/task").iterdir(),
            key=lambda task: int(task.name),
        )
    ]


def close_descriptors(keep: Collection[int]) -> None:
    """Closes every file descriptor above 2 but those to keep."""
    for path in list(pathlib.Path("/proc/self/fd").iterdir()):
        if int(path.name) > 2 and int(path.name) not in keep:
            # The one that the directory was read by is closed already.
            with contextlib.suppress(OSError):
                os.close(int(path.name))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on."""
    # The second field, the name in parentheses, may hold anything.
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return text.rpartition(")")[2].split()


def _prctl(option: int, argument: object) -> None:
    unused = ctypes.c_ulong(0)
    if _libc.prctl(option, argument, unused, unused, unused):
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")
