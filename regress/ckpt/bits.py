"""Compares two arrays bit for bit, a part at a time.

Elements with the same bits are equal, NaNs included, and all others differ,
-0.0 and 0.0 included. The distance between two numbers is counted in units in
the last place (ulps) of the type in which they are stored: neighbors are 1
apart.
"""

import ctypes
import dataclasses
import mmap

import numpy as np
import numpy.typing as npt

from regress.ckpt import entry

_Elements = npt.NDArray[np.unsignedinteger]

# Elements that are compared at once. Larger parts do not fit into a cache, and
# smaller ones are not faster.
_PART = 2**18

# Most parts are the same, and nothing tells so in less time: it reads each byte
# once and writes none.
_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

# How much of each file the kernel is asked to read before it is compared. By
# itself it reads a mapped file in small pieces, each when it is needed.
_AHEAD = 8 << 20

_madvise = ctypes.CDLL(None).madvise
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}

# The bits of the smallest magnitude that is not finite, of types whose bits are
# a sign and a magnitude that grows with them.
_NOT_FINITE = {
    "float8_e4m3fn": 0x7F,
    "float8_e5m2": 0x7C,
    "float16": 0x7C00,
    "bfloat16": 0x7F80,
    "float32": 0x7F800000,
    "float64": 0x7FF0000000000000,
}


@dataclasses.dataclass(frozen=True)
class Differing:
    """How two arrays of one type and shape differ.

    Attributes:
        elements: The number of elements that differ.
        first: The index of the first of them, counted through.
        ulps: The largest distance of two finite numbers, or None if the type
            is none of a float, or no two finite numbers differ in value.
    """

    elements: int
    first: int
    ulps: int | None


def compare(
    a: entry.Bytes, b: entry.Bytes, dtype: str, itemsize: int
) -> Differing | None:
    """Compares the elements of two arrays.

    Args:
        a: The bytes of one array.
        b: As many bytes of the other.
        dtype: The type of their elements, as an `entry.Array` has it.
        itemsize: The bytes of one element.

    Returns:
        How they differ, or None if they are the same.
    """
    if not a.size:
        return None
    limit = _NOT_FINITE.get(entry.OF_PYTHON.get(dtype, dtype))
    elements, first, ulps = 0, -1, 0
    size = _PART * itemsize
    asked = 0
    for start in range(0, a.size, size):
        while asked < min(start + _AHEAD, a.size):
            for side in (a, b):
                _will_need(side[asked : asked + _AHEAD])
            asked += _AHEAD
        part, other = a[start : start + size], b[start : start + size]
        if not _memcmp(part.ctypes.data, other.ctypes.data, part.size):
            continue
        some, others = _elements(part, itemsize), _elements(other, itemsize)
        differs = some != others
        if differs.ndim > 1:
            differs = differs.any(axis=1)
        (where,) = np.nonzero(differs)
        if first < 0:
            first = start // itemsize + int(where[0])
        elements += len(where)
        if limit is not None:
            distance = _largest_ulps(some[where], others[where], limit)
            ulps = max(ulps, distance)
    return Differing(elements, first, ulps or None) if elements else None


def _will_need(part: entry.Bytes) -> None:
    """Asks the kernel to read a part of a mapped file; does not wait."""
    # Only whole pages can be named. The call does nothing to other memory.
    begin = part.ctypes.data & -mmap.PAGESIZE
    _madvise(begin, part.ctypes.data + part.size - begin, mmap.MADV_WILLNEED)


def _elements(part: entry.Bytes, itemsize: int) -> _Elements:
    """Returns each element as a number, or as a row of bytes."""
    unsigned = _UNSIGNED.get(itemsize)
    if unsigned is None:
        return part.reshape(-1, itemsize)
    if part.ctypes.data % itemsize:
        # A file may place an array at any byte.
        part = part.copy()
    return part.view(unsigned)


def _largest_ulps(
    a: _Elements,
    b: _Elements,
    limit: int,
) -> int:
    """Returns the largest distance of two finite numbers; 0 without any."""
    sign = 8 * a.itemsize - 1
    wide_a, wide_b = a.astype(np.uint64), b.astype(np.uint64)
    mask = np.uint64(2**sign - 1)
    size_a, size_b = wide_a & mask, wide_b & mask
    # Numbers of one sign are as far apart as their magnitudes. Otherwise zero
    # lies between them. The sum of two 63-bit magnitudes fits.
    same_sign = (wide_a >> np.uint64(sign)) == (wide_b >> np.uint64(sign))
    larger, smaller = np.maximum(size_a, size_b), np.minimum(size_a, size_b)
    distance = np.where(same_sign, larger - smaller, larger + smaller)
    finite = larger < np.uint64(limit)
    return int(distance[finite].max(initial=0))
