"""A cache of a data set's index, in which no file is trusted.

The index says which documents make up which sample, and in which order the
samples come. megatron-core keeps it in files that it writes in place and
believes: after a kill in the middle of a write every later attempt fails, zeros
train other samples in silence, and a pickle runs. Here an index is one file,

    header | arrays | SHA-256 of all before

with one line of JSON as header, so that there is no half of a set of files. It
is written aside, flushed and renamed. Whoever reads it checks its size and its
digest, then that it is of the same data set and packages, and uses the very
bytes that were checked. A file that fails any of this is built anew and
replaced. Nothing in it can run.

Two jobs may share a cache. Each writes under a name of its own, and what both
rename to the same name is the same. The name is a digest of what the index
depends on, of which the corpus's path is no part, so different tests and
machines can share a cache, too.

The digest guards against accidents. Whoever may write to the cache can compute
it as well, and so decide which samples a job trains.
"""

import contextlib
import hashlib
import json
import math
import os
import pathlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy

from regress import regular_file
from regress.checkpoint import durable, errors
from regress.run import run_pb2

_VERSION = 1
# An array is of one of these types, and has one dimension or two.
_TYPES = ("<i4", "<u4", "<i8", "<u8")
_DIGEST_BYTES = hashlib.sha256().digest_size
# The first array is aligned to this.
_ALIGNMENT = 64
# More than any header needs.
_HEADER_BYTES = 1 << 16

Array = numpy.ndarray[Any, numpy.dtype[Any]]
Arrays = tuple[Array, ...]
# What an index depends on, as JSON.
Description = Mapping[str, Any]


class IndexCacheError(Exception):
    """A file is no valid index. The message is the end of a sentence."""


class IndexCache:
    """A folder of indices.

    Attributes:
        found: What each call of `get` found.
        notes: What the reader of the rank's log should know, in sentences.
    """

    def __init__(self, folder: pathlib.Path, disk: durable.Disk) -> None:
        """Uses a folder, which need not exist.

        Args:
            folder: The folder.
            disk: The file system to write to.
        """
        self._folder = folder
        self._disk = disk
        self.found: list[run_pb2.DataIndex] = []
        self.notes: list[str] = []

    def get(
        self,
        split: str,
        description: Description,
        most_bytes: int,
        build: Callable[[], Arrays],
    ) -> Arrays:
        """Returns an index from the cache, or builds it and keeps it there.

        A cache that cannot be written is noted, and no reason not to train.

        Args:
            split: The part of the data set, for people to read.
            description: All that the index depends on.
            most_bytes: The arrays cannot have more bytes than this.
            build: Builds the arrays.
        """
        path = self.path(split, description)
        found = run_pb2.DataIndex(split=split)
        self.found.append(found)
        try:
            arrays = read(path, description, most_bytes)
        except FileNotFoundError:
            found.cache = run_pb2.DataIndex.MISSING
        except IndexCacheError as error:
            found.cache = run_pb2.DataIndex.UNUSABLE
            self.notes.append(
                f"The data set's index {path} cannot be used: {error}. It is "
                "built anew and replaced."
            )
        else:
            found.cache = run_pb2.DataIndex.VALID
            return arrays
        arrays = build()
        try:
            write(self._disk, path, description, arrays)
            found.stored = True
        except errors.CheckpointWriteError as error:
            reason = error.__cause__
            assert isinstance(reason, OSError)
            # Another job may have replaced it, and removed what we wrote.
            found.stored = _is_valid(path, description, most_bytes)
            if not found.stored:
                self.notes.append(
                    f"The data set's index {path} cannot be kept: "
                    f"{reason.strerror or reason}. Each attempt builds it anew."
                )
        return arrays

    def path(self, split: str, description: Description) -> pathlib.Path:
        """Returns the path of an index's file."""
        key = hashlib.sha256(_json(description)).hexdigest()
        return self._folder / f"{split}-{key[:32]}.index"


def write(
    disk: durable.Disk,
    path: pathlib.Path,
    description: Description,
    arrays: Arrays,
) -> None:
    """Writes an index atomically and durably, and makes its folder.

    Raises:
        CheckpointWriteError: It cannot be written.
    """
    durable.make_folder(disk, path.parent)
    durable.write(
        disk,
        path,
        lambda file: [file.write(part) for part in encode(description, arrays)],
        # Another job may write the same index at the same time.
        aside=f".{secrets.token_hex(8)}{durable.ASIDE}",
    )
    # A kill leaves what was written aside. If this is not what a kill left but
    # another job's, that job finds our file in place of its own.
    for left in path.parent.glob(f"{path.name}.*{durable.ASIDE}"):
        with contextlib.suppress(OSError):
            left.unlink()


def read(
    path: pathlib.Path, description: Description, most_bytes: int
) -> Arrays:
    """Reads an index from a file that anybody may have written.

    Raises:
        FileNotFoundError: There is no file.
        IndexCacheError: It cannot be read, or is not the index of
            `description`.
    """
    most = most_bytes + _HEADER_BYTES + _DIGEST_BYTES
    try:
        with regular_file.open_to_read(path) as file:
            status = os.fstat(file.fileno())
            if status.st_size > most:
                raise IndexCacheError(
                    f"it has {status.st_size} bytes; expected at most {most}"
                )
            content = file.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise IndexCacheError(f"it cannot be read: {error.strerror}") from None
    return decode(content, description)


def encode(description: Description, arrays: Arrays) -> Iterator[bytes | Array]:
    """Yields the parts of an index's file."""
    little = [
        numpy.ascontiguousarray(one, one.dtype.newbyteorder("<"))
        for one in arrays
    ]
    # The reader would refuse any other.
    assert all(one.dtype.str in _TYPES for one in little)
    header = _json(
        {
            "version": _VERSION,
            "of": description,
            "arrays": [[one.dtype.str, one.shape] for one in little],
        }
    )
    padding = -(len(header) + 1) % _ALIGNMENT
    parts: list[bytes | Array] = [header + b" " * padding + b"\n"]
    parts += [one.reshape(-1).view(numpy.uint8) for one in little]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
        yield part
    yield digest.digest()


def decode(content: bytes, description: Description) -> Arrays:
    """Decodes an index from untrusted bytes. The arrays share their memory.

    Raises:
        IndexCacheError: The bytes are not the index of `description`.
    """
    body = memoryview(content)[:-_DIGEST_BYTES]
    if hashlib.sha256(body).digest() != content[-_DIGEST_BYTES:]:
        raise IndexCacheError(
            f"its {len(content)} bytes do not have the SHA-256 at their end"
        )
    end = content.find(b"\n", 0, _HEADER_BYTES) + 1
    try:
        header = json.loads(content[:end])
    except (ValueError, RecursionError):
        raise IndexCacheError("its header is not JSON") from None
    if not isinstance(header, dict) or header.get("version") != _VERSION:
        raise IndexCacheError(f"its version is not {_VERSION}")
    if header.get("of") != description:
        raise IndexCacheError("it is of another data set or of other packages")
    arrays = []
    for kind, shape in _listed(header.get("arrays")):
        count = math.prod(shape)
        if count * kind.itemsize > len(body) - end:
            raise IndexCacheError("it lists more than it holds")
        arrays.append(
            numpy.frombuffer(content, kind, count, end).reshape(shape)
        )
        end += count * kind.itemsize
    if end != len(body):
        raise IndexCacheError("it holds more than it lists")
    return tuple(arrays)


def _listed(
    arrays: object,
) -> Iterator[tuple[numpy.dtype[Any], Sequence[int]]]:
    """Yields the type and the shape of each array that a header lists."""
    if not isinstance(arrays, list):
        raise IndexCacheError("its header lists no arrays")
    for one in arrays:
        match one:
            case [str(kind), [int(), *rest] as shape] if (
                kind in _TYPES
                and len(rest) < 2
                and all(type(size) is int and size >= 0 for size in shape)
            ):
                yield numpy.dtype(kind), shape
            case _:
                raise IndexCacheError(
                    "its header lists an array of another type or shape"
                )


def _is_valid(
    path: pathlib.Path, description: Description, most_bytes: int
) -> bool:
    try:
        read(path, description, most_bytes)
    except (FileNotFoundError, IndexCacheError):
        return False
    return True


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
