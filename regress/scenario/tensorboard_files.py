"""Reads the numbers in TensorBoard's event files, without TensorBoard.

A file is a sequence of records: a length of 8 bytes, its checksum, the content
and its checksum (TensorFlow's TFRecord, with masked CRC-32C). A process that is
killed leaves a record unfinished, and the next launch writes a file of its own.
"""

import dataclasses
import os
import pathlib
import struct
from collections.abc import Iterator, Mapping
from typing import IO

from google.protobuf import message

from regress import regular_file
from regress.case import limits
from regress.run import run_pb2
from regress.scenario import tensorboard_pb2

# A file is one of TensorBoard's if its name has this.
_NAMED = "tfevents"

# So many numbers of a launch are recorded.
_MOST_NUMBERS = 100_000

# A record that holds more is a picture, or a graph.
_MOST_BYTES = 1 << 20

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_FLOAT = struct.Struct("<f")
_DOUBLE = struct.Struct("<d")
_DT_FLOAT = 1
_DT_DOUBLE = 2

# Enough digits to tell any two numbers apart; mostly fewer will do.
_DIGITS = {_FLOAT: range(6, 10), _DOUBLE: range(15, 18)}


def sizes(job: pathlib.Path, pattern: str) -> dict[str, int]:
    """Returns how much of each file there is.

    Args:
        job: The folder of a job.
        pattern: The case's `tensorboard`.
    """
    found: dict[str, int] = {}
    for path in sorted(job.glob(pattern)) if pattern else ():
        for one in sorted(path.iterdir()) if path.is_dir() else (path,):
            if _NAMED in one.name and not one.is_dir():
                name = one.relative_to(job).as_posix()
                found[name] = one.lstat().st_size
    return found


def read_new(
    job: pathlib.Path, pattern: str, before: Mapping[str, int]
) -> list[run_pb2.EventFile]:
    """Reads what a launch has written.

    Args:
        job: The folder of the job.
        pattern: The case's `tensorboard`.
        before: The sizes before the launch.
    """
    room = _MOST_NUMBERS
    files = []
    for name, size in sizes(job, pattern).items():
        start = before.get(name, 0)
        if size > start:
            file = _read(job / name, name, start, room)
            room -= len(file.scalars)
            files.append(file)
    return files


def _read(
    path: pathlib.Path, name: str, start: int, room: int
) -> run_pb2.EventFile:
    result = run_pb2.EventFile(path=name)
    try:
        with regular_file.open_to_read(path) as file:
            file.seek(start)
            for content in _records(file):
                for printed in _scalars(content):
                    if room and 0 <= printed.iteration <= limits.ITERATIONS:
                        result.scalars.append(printed)
                        room -= 1
                    else:
                        result.left_out += 1
    except _TornError:
        result.torn = True
    except _DamagedError as error:
        result.damage = f"damaged at byte {error.offset:,}: {error.reason}"
    except OSError as error:
        result.damage = f"cannot be read: {error.strerror}"
    return result


class _TornError(Exception):
    """The last record is not complete."""


@dataclasses.dataclass
class _DamagedError(Exception):
    """A record is not what was written."""

    offset: int
    reason: str


def _records(file: IO[bytes]) -> Iterator[bytes]:
    """Yields the content of each record that may hold numbers."""
    end = os.fstat(file.fileno()).st_size
    while (offset := file.tell()) < end:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise _TornError
        length, checksum = _HEADER.unpack(header)
        if checksum != masked_crc32c(header[:8]):
            raise _DamagedError(offset, "the checksum of a length is wrong")
        if file.tell() + length + _CHECKSUM.size > end:
            raise _TornError
        if length > _MOST_BYTES:
            file.seek(length + _CHECKSUM.size, 1)
            continue
        content = file.read(length)
        (checksum,) = _CHECKSUM.unpack(file.read(_CHECKSUM.size))
        if checksum != masked_crc32c(content):
            raise _DamagedError(offset, "the checksum of a record is wrong")
        yield content


def _scalars(content: bytes) -> Iterator[run_pb2.Printed]:
    try:
        event = tensorboard_pb2.Event.FromString(content)
    except message.DecodeError:
        # Something else is kept in such records.
        return
    for value in event.summary.value:
        if text := _text(value):
            tag = value.tag.decode(errors="replace")
            step = event.step if abs(event.step) < 2**31 else -1
            yield run_pb2.Printed(iteration=step, metrics={tag: text})


def _text(value: tensorboard_pb2.Summary.Value) -> str:
    """Returns a number in the fewest digits that have its bits; "" if none."""
    if value.HasField("simple_value"):
        return _shortest(value.simple_value, _FLOAT)
    tensor = value.tensor
    form = {_DT_FLOAT: _FLOAT, _DT_DOUBLE: _DOUBLE}.get(tensor.dtype)
    if form is None or any(one.size != 1 for one in tensor.tensor_shape.dim):
        return ""
    if len(tensor.tensor_content) == form.size:
        (number,) = form.unpack(tensor.tensor_content)
        return _shortest(number, form)
    numbers = tensor.float_val if form is _FLOAT else tensor.double_val
    return _shortest(numbers[0], form) if len(numbers) == 1 else ""


def _shortest(number: float, form: struct.Struct) -> str:
    if number != number:
        # Not all that are no number have the same bits.
        return f"nan (0x{form.pack(number)[::-1].hex()})"
    for digits in _DIGITS[form]:
        text = f"{number:.{digits}g}"
        try:
            if form.pack(float(text)) == form.pack(number):
                return text
        except OverflowError:
            # Rounded up, the largest number is beyond the largest.
            continue
    raise AssertionError(f"{number!r} has too many digits.")


def _table() -> list[int]:
    """Returns the table of CRC-32C: Castagnoli's polynomial, reflected."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _table()


def masked_crc32c(content: bytes) -> int:
    """Returns the checksum of a record, as TensorFlow stores it.

    It is rotated and shifted, since a checksum of what contains checksums would
    be weak.
    """
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
