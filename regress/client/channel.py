"""The files through which a rank tells the supervisor what it does.

The supervisor names a folder in the environment. Each rank appends JSON to a
file of its own there, `rank_0.jsonl`, one event a line and each in one write:
what is written survives a kill, and a kill can tear the last line only. Two
named pipes lie beside these files. `reached` takes the rank's progress to the
supervisor, and `go_on` has no writer until ranks that hold still may go on.

A rank is one process. Its children inherit its environment and are no ranks,
such as the workers of a data loader, so the first process that has something to
tell of a rank is the rank, and its children know.

Standard library only, and no other module of this project, as the training
program imports this.
"""

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

# Environment variables set by the supervisor.
#
# The folder. Without it, there is no supervisor.
FOLDER = "REGRESS_CLIENT_FOLDER"
# A file that all attempts of a chain share: which iteration was saved as what.
SAVES = "REGRESS_CLIENT_SAVES"
# After which iterations the uninterrupted run digests its state, as the next
# step begins: "16,32".
DIGEST_AFTER = "REGRESS_CLIENT_DIGEST_AFTER"
# Where the ranks hold still until they are interrupted: "20:BACKWARD".
HOLD_AT = "REGRESS_CLIENT_HOLD_AT"

# Set by a rank, for its children: its process id.
_OWNER = "REGRESS_CLIENT_OWNER"

# What a launcher tells a process about its rank: torchrun's, Open MPI's,
# SLURM's and that of MPICH.
RANK_VARIABLES = ("RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMI_RANK")
# Lightning's own launcher: the first rank starts the others, and tells them no
# more than this, as all are on one machine.
LOCAL_RANK_VARIABLES = ("LOCAL_RANK",)

REACHED = "reached"
GO_ON = "go_on"

# A rank that has written so much writes one more line, which says so.
MOST_BYTES = 64 << 20


def numbers(text: str) -> list[int]:
    """Returns the numbers in a variable, which has commas between them."""
    return [int(one) for one in text.split(",") if one.isdecimal()]


def file_name(rank: int) -> str:
    """Returns the name of a rank's file in the folder."""
    return f"rank_{rank}.jsonl"


def rank_by_environment(
    environment: Mapping[str, str],
    variables: Sequence[str] = (*RANK_VARIABLES, *LOCAL_RANK_VARIABLES),
) -> int | None:
    """Returns the rank that a launcher has told a process; None if none has."""
    for variable in variables:
        text = environment.get(variable, "").strip()
        if text.isascii() and text.isdecimal():
            return int(text)
    return None


class Channel:
    """Writes the events of one rank.

    Nothing here raises an OSError: a disk that is full must not end a training
    run. The channel closes instead, and the record ends there.
    """

    def __init__(self, rank: int | None) -> None:
        """Claims the rank's file.

        Without a supervisor, and in a process that is no rank, the channel is
        closed from the beginning.

        Args:
            rank: The rank; None in a process that is none.
        """
        self._pid = os.getpid()
        self._folder = os.environ.get(FOLDER, "")
        self._fd = -1
        self._size = 0
        owner = os.environ.get(_OWNER)
        if (
            rank is None
            or not self._folder
            or owner not in (None, str(self._pid))
        ):
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        if owner is None:
            flags |= os.O_EXCL
        path = os.path.join(self._folder, file_name(rank))  # noqa: PTH118
        with contextlib.suppress(OSError):
            self._fd = os.open(path, flags, 0o666)
            # A process that executes another program stays the rank.
            os.environ[_OWNER] = str(self._pid)
            self._size = os.fstat(self._fd).st_size

    @property
    def is_open(self) -> bool:
        """Whether this process is a rank, and somebody wants to know."""
        return self._fd >= 0 and os.getpid() == self._pid

    def write(self, event: Mapping[str, Any]) -> None:
        """Appends an event."""
        if not self.is_open:
            return
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        full = self._size + len(line) > MOST_BYTES
        if full:
            line = b'{"kind":"full"}\n'
        try:
            whole = os.write(self._fd, line) == len(line)
        except OSError:
            whole = False
        self._size += len(line)
        if full or not whole:
            self.close()

    def close(self) -> None:
        """Writes nothing from now on."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def progress(self, iteration: int) -> None:
        """Tells the supervisor that the rank has completed an iteration."""
        self._tell(str(iteration))

    def hold(self, iteration: int, phase: str) -> None:
        """Waits until the supervisor has sent its signal."""
        if self._tell(f"{iteration} {phase}"):
            with contextlib.suppress(OSError):
                # Opening a pipe to read waits for somebody to write.
                os.close(os.open(self._path(GO_ON), os.O_RDONLY))

    def remember_save(self, save: Mapping[str, Any]) -> None:
        """Notes a save, for those who load it."""
        path = os.environ.get(SAVES)
        if not self.is_open or not path:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        with contextlib.suppress(OSError):
            fd = os.open(path, flags, 0o666)
            os.write(fd, json.dumps(save).encode() + b"\n")
            os.close(fd)

    def saves(self) -> list[Any]:
        """Returns what was noted of all saves so far, the newest last."""
        try:
            with open(os.environ.get(SAVES, ""), encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError:
            return []
        found = []
        for line in lines:
            # A kill may have torn a line.
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def _tell(self, text: str) -> bool:
        if not self.is_open:
            return False
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(self._path(REACHED), flags)
        except OSError:
            return False
        try:
            os.write(fd, f"{text}\n".encode())
        except OSError:
            return False
        finally:
            os.close(fd)
        return True

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)  # noqa: PTH118
