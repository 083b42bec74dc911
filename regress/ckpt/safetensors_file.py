"""Reads safetensors files: eight bytes, a header in JSON, and the data.

The package `safetensors` is not among the pinned ones, and the format is small:
the length of the header as a little-endian number, the header, which says the
type, the shape and the range of bytes of each tensor, and the bytes themselves.
They are mapped, so they are read when they are compared.
"""

import json
import math
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from regress import regular_file
from regress.ckpt import entry, errors, flatten

SUFFIX = ".safetensors"
# The package's own bound.
MAX_HEADER = 100_000_000
_LENGTH = 8

# The types, with the names and sizes that torch has for them. Types of less
# than a byte are not among them.
_TYPES = {
    "BOOL": ("bool", 1),
    "U8": ("uint8", 1),
    "I8": ("int8", 1),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "F8_E8M0": ("float8_e8m0fnu", 1),
    "U16": ("uint16", 2),
    "I16": ("int16", 2),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "U32": ("uint32", 4),
    "I32": ("int32", 4),
    "F32": ("float32", 4),
    "U64": ("uint64", 8),
    "I64": ("int64", 8),
    "F64": ("float64", 8),
    "C64": ("complex64", 8),
}


def read(path: pathlib.Path) -> dict[str, entry.Entry]:
    """Returns the tensors of a file and its notes, by name.

    Args:
        path: The file.

    Raises:
        CkptError: It cannot be read, is damaged, or holds a type that is not
            known.
    """
    try:
        size = path.stat().st_size
        with regular_file.open_to_read(path) as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            if not 2 <= length <= min(MAX_HEADER, size - _LENGTH):
                raise _damaged(
                    path,
                    f"its header has {length} bytes; expected at most "
                    f"{max(0, min(MAX_HEADER, size - _LENGTH))}",
                )
            text = file.read(length)
    except OSError as error:
        raise errors.CkptError(
            f"{path} cannot be read: {error.strerror}."
        ) from error
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is no JSON") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is no table")
    notes = header.pop("__metadata__", {})
    flat = flatten.flatten(notes, "__metadata__") if notes else {}
    start = _LENGTH + length
    for name, described in header.items():
        flat[name] = _tensor(path, name, described, start, size)
    return flat


def _tensor(
    path: pathlib.Path, name: str, described: Any, start: int, size: int
) -> entry.Array:
    """Returns one tensor.

    Args:
        path: The file.
        name: The tensor's name.
        described: What the header says of it.
        start: The offset of the data in the file.
        size: The size of the file.
    """
    try:
        kind, shape = described["dtype"], tuple(described["shape"])
        begin, end = described["data_offsets"]
        whole = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
    except (KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise _damaged(
            path, f"{name} has no type, shape and range in its header"
        )
    if kind not in _TYPES:
        raise errors.CkptError(
            f"{path} cannot be read: {name} is of type {kind}; expected one "
            f"of {', '.join(_TYPES)}."
        )
    dtype, itemsize = _TYPES[kind]
    if end - begin != math.prod(shape) * itemsize or start + end > size:
        raise _damaged(
            path,
            f"{name} has bytes {begin} to {end} of {size - start}; expected "
            f"{math.prod(shape) * itemsize} bytes for {dtype} {list(shape)}",
        )
    return entry.Array(
        dtype, shape, itemsize, _reading(path, start + begin, end - begin)
    )


def _reading(
    path: pathlib.Path, offset: int, size: int
) -> Callable[[], entry.Bytes]:
    def read() -> entry.Bytes:
        if not size:
            return np.empty(0, np.uint8)
        try:
            return np.memmap(path, np.uint8, "r", offset, (size,))
        except (OSError, ValueError) as error:
            raise errors.CkptError(
                f"{path} cannot be read: {error}."
            ) from error

    return read


def _damaged(path: pathlib.Path, why: str) -> errors.CkptError:
    return errors.CkptError(f"{path} is damaged: {why}.")
