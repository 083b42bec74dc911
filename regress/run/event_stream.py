"""An append-only file of a rank's events.

Each record is the event's size as a varint, followed by the serialized `Event`.
This is protobuf's own delimited format, which its libraries for all languages
can read. An event has exactly one kind, so each record starts with

    size of the event | tag of the kind | size of the kind | ...

and the two sizes must agree. This distinguishes a damaged file from one that
was cut short by a kill:

*   If the file ends inside a record whose sizes agree, or inside these leading
    bytes, the record is *torn*. This is normal after a kill, and the events
    before it are complete.
*   Anything else that is not an event, anywhere in the file, is *damage*, and
    an error. So is an event of an iteration that no case can have.

Two things go undetected: damage inside a record that still parses as an event,
and truncation by somebody else, at the end of a record or inside one, which
looks like a kill.
"""

import io
import os
import pathlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from google.protobuf import message

from regress import errors, regular_file
from regress.case import limits
from regress.run import run_pb2

# Bounds the memory that a reader needs. A state digest with 100,000 entries
# takes a quarter of this.
MAX_EVENT_BYTES = 64 << 20

# Whoever judges a run counts through the iterations that it claims.
_POSSIBLE = f"an event of an iteration from 0 to {limits.ITERATIONS}"

# One byte for the tag and one for a size of 0.
_MIN_EVENT_BYTES = 2

# The tags of the kinds: field number << 3 | wire type 2, for a submessage. Each
# fits in one byte.
_KIND_TAGS = frozenset(
    field.number << 3 | 2
    for field in run_pb2.Event.DESCRIPTOR.oneofs_by_name["kind"].fields
)


class EventStreamError(errors.UserError):
    """An unusable event file. The message starts with its path."""


class Writer:
    """Appends events to a file, each in one write.

    Once `write` returns, the kernel has the event: it survives the death of the
    process, but not necessarily a crash of the machine.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens the file for appending, and creates it if it does not exist.

        Raises:
            EventStreamError: The file cannot be opened.
        """
        self._path = pathlib.Path(path)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self._fd = os.open(self._path, flags, 0o666)
        except OSError as error:
            raise EventStreamError(
                f"{self._path}: cannot append events: {error.strerror}"
            ) from error

    def write(self, event: run_pb2.Event) -> None:
        """Appends one event.

        Raises:
            EventStreamError: The event has no kind or is larger than
                MAX_EVENT_BYTES, or the file did not take all of it.
        """
        if event.WhichOneof("kind") is None:
            raise EventStreamError(
                f"{self._path}: cannot append an event without a kind"
            )
        body = event.SerializeToString()
        if len(body) > MAX_EVENT_BYTES:
            raise EventStreamError(
                f"{self._path}: cannot append an event of {len(body)} bytes, "
                f"expected at most {MAX_EVENT_BYTES}"
            )
        record = _varint(len(body)) + body
        try:
            written = os.write(self._fd, record)
        except OSError as error:
            raise EventStreamError(
                f"{self._path}: cannot append an event: {error.strerror}"
            ) from error
        if written != len(record):
            raise EventStreamError(
                f"{self._path}: the file took {written} of an event's "
                f"{len(record)} bytes"
            )

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        """Returns the writer itself."""
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the file."""
        self.close()


class Reader:
    """Iterates over the events of a file, with one event in memory at a time.

    Attributes:
        torn: Whether the file ends in the middle of a record. Valid after the
            iteration has ended.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Does not open the file yet; iterating does."""
        self._path = pathlib.Path(path)
        self.torn = False

    def __iter__(self) -> Iterator[run_pb2.Event]:
        """Yields the events in the order they were written.

        Raises:
            EventStreamError: The file cannot be read, or is damaged.
        """
        self.torn = False
        try:
            with regular_file.open_to_read(self._path) as stream:
                offset = 0
                while (event := self._next(stream, offset)) is not None:
                    yield event
                    offset = stream.tell()
        except OSError as error:
            raise EventStreamError(
                f"{self._path}: cannot read events: {error.strerror}"
            ) from error

    def _next(
        self, stream: io.BufferedReader, offset: int
    ) -> run_pb2.Event | None:
        """Returns the event at the offset, or None if none is complete."""
        if not stream.peek(1):
            return None
        try:
            size, _ = _read_varint(stream)
            if not _MIN_EVENT_BYTES <= size <= MAX_EVENT_BYTES:
                raise self._damaged(offset, f"a size of {size}")
            (tag,) = _read(stream, 1)
            if tag not in _KIND_TAGS:
                raise self._damaged(offset, f"the tag {tag}")
            kind_size, length = _read_varint(stream)
            if 1 + length + kind_size != size:
                raise self._damaged(
                    offset, f"sizes that disagree, {size} and {kind_size}"
                )
            kind = _read(stream, kind_size)
        except EOFError:
            self.torn = True
            return None
        except ValueError as error:
            raise self._damaged(offset, str(error)) from None
        try:
            event = run_pb2.Event.FromString(
                bytes([tag]) + _varint(kind_size) + kind
            )
        except message.DecodeError:
            raise self._damaged(
                offset, f"{size} bytes that do not parse"
            ) from None
        iteration = _iteration(event)
        if not 0 <= iteration <= limits.ITERATIONS:
            raise self._damaged(
                offset, f"one of iteration {iteration}", _POSSIBLE
            )
        return event

    def _damaged(
        self, offset: int, actual: str, expected: str = "an event"
    ) -> EventStreamError:
        return EventStreamError(
            f"{self._path}: damaged at byte {offset}: expected {expected}, "
            f"found {actual}"
        )


def _iteration(event: run_pb2.Event) -> int:
    """Returns the iteration of an event; 0 if its kind has none."""
    kind = getattr(event, event.WhichOneof("kind") or "span")
    return getattr(kind, "iteration", 0)


def read(path: str | os.PathLike[str]) -> tuple[list[run_pb2.Event], bool]:
    """Reads a whole file.

    Returns:
        The events, and whether the file ends in the middle of a record.

    Raises:
        EventStreamError: The file cannot be read, or is damaged.
    """
    reader = Reader(path)
    return list(reader), reader.torn


# Each byte of a varint holds 7 bits of the number, lowest bits first. This bit
# is set if more bytes follow.
_MORE = 0x80


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= _MORE:
        encoded.append(number & 0x7F | _MORE)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_varint(stream: io.BufferedReader) -> tuple[int, int]:
    """Reads a varint of at most 5 bytes.

    Returns:
        The number, and the length of the varint in bytes.

    Raises:
        EOFError: The file ends before the varint does.
        ValueError: The varint is longer than 5 bytes.
    """
    number = 0
    for place in range(5):
        (byte,) = _read(stream, 1)
        number |= (byte & 0x7F) << 7 * place
        if not byte & _MORE:
            return number, place + 1
    raise ValueError("a size without an end")


def _read(stream: io.BufferedReader, count: int) -> bytes:
    """Reads exactly `count` bytes, or raises EOFError."""
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
