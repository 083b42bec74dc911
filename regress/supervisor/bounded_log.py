"""Keeps a log and the memory small, whatever a command prints."""

import os
from collections.abc import Iterator

# What went wrong stands at the beginning of a log, or at its end.
BEGINNING_BYTES = 8 << 20
END_BYTES = 8 << 20

# A line is cut after so many bytes: a pattern sees no more of it.
LINE_BYTES = 1 << 16

_NOTICE = b"\n[... output is left out here: the log has a bound ...]\n"


class BoundedLog:
    """A file with the beginning of an output and a part of its end.

    When the part after the beginning is full, it is emptied and begins anew. So
    the newest output is there even if this process is killed.

    Attributes:
        left_out: The bytes of the output that are not in the file.
    """

    def __init__(
        self,
        fd: int,
        beginning: int = BEGINNING_BYTES,
        end: int = END_BYTES,
    ) -> None:
        """Writes to a file that is open for appending, and empty.

        Args:
            fd: The file.
            beginning: The bytes of the beginning that are kept.
            end: The bytes after it that are kept at most.
        """
        self._fd = fd
        self._beginning = beginning
        self._end = end
        self._size = 0
        self.left_out = 0

    def write(self, some: bytes) -> None:
        """Appends to the log."""
        while some:
            room = self._beginning + self._end - self._size
            if room <= 0:
                self._empty_the_end()
                continue
            written = os.write(self._fd, some[:room])
            self._size += written
            some = some[written:]

    def _empty_the_end(self) -> None:
        os.ftruncate(self._fd, self._beginning)
        self.left_out += self._size - self._beginning
        os.write(self._fd, _NOTICE)
        # The notice is not the command's, and small.
        self._size = self._beginning


class Lines:
    """Splits an output into lines, of which a long one is cut."""

    def __init__(self) -> None:
        """Starts at the beginning of a line."""
        self._rest = b""
        # Whether the rest of a line that was cut is being skipped.
        self._skipping = False

    def feed(self, some: bytes) -> Iterator[bytes]:
        """Yields each line that is complete now.

        A carriage return ends a line, too: progress bars have no other end.
        """
        *lines, rest = (self._rest + some).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if not self._skipping:
                yield line[:LINE_BYTES]
            self._skipping = False
        if len(rest) >= LINE_BYTES:
            if not self._skipping:
                yield rest[:LINE_BYTES]
            self._skipping = True
            rest = b""
        self._rest = rest

    def rest(self) -> Iterator[bytes]:
        """Yields the last line if it has no end."""
        if self._rest and not self._skipping:
            yield self._rest
        self._rest = b""
