"""Linux process calls that the standard library lacks.

psutil does not have the prctl calls. It can list children, but does not
guarantee to include zombies, and `end_children` must not miss any. It would
also slow down the start of every rank, for two short functions.
"""

import contextlib
import ctypes
import os
import pathlib
import resource
import select
import signal
import time
from collections.abc import Collection, Iterator, Set

# From linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37

# From the kernel's include/linux/sched.h: a flag in /proc/PID/stat.
_PF_EXITING = 0x4

# How long a process may take to end after SIGKILL. One that waits in the kernel
# for a frozen file system or a dead device may never end. Bazel gives a test
# 15 s after SIGTERM.
REAP_SECONDS = 10.0

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Makes the kernel SIGKILL this process when its parent dies.

    The setting survives exec but not fork, so each process must call this.

    Args:
        parent: The parent's expected pid. If the actual one differs, the
            parent died before this call, and this process exits at once.
    """
    signal_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def signal_with_parent(number: signal.Signals) -> None:
    """Makes the kernel signal this process when its parent dies.

    Nothing is sent if the parent is dead already.
    """
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number))


@contextlib.contextmanager
def child_subreaper() -> Iterator[None]:
    """Makes orphaned descendants children of this process."""
    before = ctypes.c_int()
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))
    try:
        yield
    finally:
        _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(before.value))


def children(parent: int | None = None) -> set[int]:
    """Returns the pids of a process's children, including zombies.

    Args:
        parent: The process's pid; by default this process's.
    """
    if parent is None:
        parent = os.getpid()
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            # The process may be gone by now.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if int(_stat(int(entry.name))[1]) == parent:
                    found.add(int(entry.name))
    return found


def descendants(parent: int) -> list[int]:
    """Returns the pids of a process's descendants, parents before children.

    Of those that start or end meanwhile, some may be missing.
    """
    found = [parent]
    for one in found:
        found += sorted(children(one))
    return found[1:]


def parent(pid: int) -> int:
    """Returns the pid of a process's parent; 0 if the process is gone."""
    try:
        return int(_stat(pid)[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def environment(pid: int) -> dict[str, str]:
    """Returns the environment that a process was started with.

    It is empty if the process is gone, or if this user may not read it.
    """
    try:
        text = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    settings = (one.partition(b"=") for one in text.split(b"\0") if one)
    return {os.fsdecode(name): os.fsdecode(is_) for name, _, is_ in settings}


def command_line(pid: int) -> str:
    """Returns a process's command line; "" if it is gone or a zombie."""
    try:
        text = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return text.replace(b"\0", b" ").decode(errors="replace").strip()


def processes_with(variable: str, word: str) -> set[int]:
    """Returns the pids of the other processes with a word in a variable.

    Processes whose environment this user may not read are left out, and so are
    zombies, which have none.
    """
    found = set()
    prefix = f"{variable}=".encode()
    for pid in _others():
        try:
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        for setting in environment.split(b"\0"):
            if setting.startswith(prefix) and word.encode() in (
                setting[len(prefix) :].split()
            ):
                found.add(pid)
    return found


def processes_limited_to(microseconds: int) -> set[int]:
    """Returns the pids of the other processes with a soft limit RLIMIT_RTTIME.

    Zombies are left out.
    """
    found = set()
    for pid in _others():
        try:
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
            is_zombie = process_state(pid) == "Z"
        except (FileNotFoundError, ProcessLookupError):
            continue
        _, _, limit = limits.partition("Max realtime timeout")
        if limit.split()[:1] == [str(microseconds)] and not is_zombie:
            found.add(pid)
    return found


def _others() -> Iterator[int]:
    """Yields the pid of every process but this one."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            yield int(entry.name)


@contextlib.contextmanager
def limited_to(microseconds: int) -> Iterator[None]:
    """Sets the soft limit RLIMIT_RTTIME, which children inherit.

    It bounds the CPU time of real-time processes, and no others. Where the hard
    limit is lower, nothing is set.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    if hard != resource.RLIM_INFINITY and hard < microseconds:
        yield
        return
    resource.setrlimit(resource.RLIMIT_RTTIME, (microseconds, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_RTTIME, (soft, hard))


def start_time(pid: int) -> int:
    """Returns when a process started, in ticks since the machine did."""
    return int(_stat(pid)[19])


def end_children(spare: Set[int], seconds: float = REAP_SECONDS) -> set[int]:
    """Kills and reaps all children, and the orphans that become children.

    This process must be a child subreaper. Afterwards it has no descendants
    except the spared children and theirs: every other descendant has an
    ancestor among the children, so once no child is left, none is. A child may
    be reaped by another thread meanwhile, which has started it.

    Args:
        spare: Pids of the children to leave alone.
        seconds: How long to wait for all of them to end.

    Returns:
        The pids of the children that have not ended in time.
    """
    deadline = time.monotonic() + seconds
    stuck: set[int] = set()
    while doomed := children() - spare - stuck:
        # A child's pid cannot be reused before the child is reaped.
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                if not _reap(pid, deadline - time.monotonic()):
                    stuck.add(pid)
    return stuck


def _reap(pid: int, seconds: float) -> bool:
    """Reaps a child that ends in time; returns whether it did."""
    pidfd = os.pidfd_open(pid)
    try:
        if not ends_within(pidfd, seconds):
            return False
        os.waitpid(pid, 0)
        return True
    finally:
        os.close(pidfd)


def ends_within(pidfd: int, seconds: float) -> bool:
    """Waits for a process to end, reaped or not; returns whether it has."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(1000 * max(seconds, 0)))


def process_state(pid: int) -> str:
    """Returns the state of a process as a letter: R, S, D, T (stopped), Z, ...

    Raises:
        FileNotFoundError: There is no such process.
    """
    return _stat(pid)[0]


def is_exiting(pid: int) -> bool:
    """Whether a process has begun to end, though it may not have ended.

    The kernel sets the flag before it closes the process's files.

    Raises:
        FileNotFoundError: There is no such process.
    """
    return bool(int(_stat(pid)[6]) & _PF_EXITING)


def describe(pid: int) -> str:
    """Returns e.g. "process 4711 (state D)"; without a state if it is gone."""
    try:
        return f"process {pid} (state {process_state(pid)})"
    except FileNotFoundError:
        return f"process {pid}"


def thread_names() -> list[str]:
    """Returns the names of this process's threads, the main thread first."""
    return [
        (task / "comm").read_text().strip()
        for task in sorted(
            pathlib.Path("/proc/self/task").iterdir(),
            key=lambda task: int(task.name),
        )
    ]


def close_descriptors(keep: Collection[int]) -> None:
    """Closes every file descriptor above 2 except those in `keep`."""
    for path in list(pathlib.Path("/proc/self/fd").iterdir()):
        if int(path.name) > 2 and int(path.name) not in keep:
            # The descriptor used to read the directory is closed already.
            with contextlib.suppress(OSError):
                os.close(int(path.name))


def _stat(pid: int) -> list[str]:
    """Returns the fields of /proc/<pid>/stat, starting with the state."""
    # The second field, the name in parentheses, may contain anything.
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return text.rpartition(")")[2].split()


def _prctl(option: int, argument: object) -> None:
    unused = ctypes.c_ulong(0)
    if _libc.prctl(option, argument, unused, unused, unused):
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")
