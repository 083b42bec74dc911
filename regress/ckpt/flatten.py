"""Takes the content of a file apart into named entries.

A name is the path to a value, with slashes: "optimizer/state/0/exp_avg". The
type of a container is no part of it, unless the container is empty: a dict and
a Namespace, or a list and a tuple, with the same content are the same.
"""

import argparse
import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from regress.ckpt import entry, inert

# Containers in containers. Deeper ones are not a checkpoint's, and Python's own
# limit is near.
_MAX_DEPTH = 200


class UnknownValueError(Exception):
    """A value cannot be compared, as the end of a sentence."""


_NUMBERS = {bool: np.bool_, float: np.float64, int: np.int64}


def flatten(content: Any, prefix: str = "") -> dict[str, entry.Entry]:
    """Returns all that a file holds, by name.

    Args:
        content: What was read from the file.
        prefix: What all names start with.

    Raises:
        UnknownValueError: It holds a value that cannot be compared.
    """
    flat: dict[str, entry.Entry] = {}
    for path, value in _walk(content, prefix, 0):
        # Names of different paths may be alike: 1 and "1", or "a/b".
        # A file may hold one tensor, and nothing that gives it a name.
        name = path or "."
        unique, count = name, 1
        while unique in flat:
            count += 1
            unique = f"{name}#{count}"
        flat[unique] = value
    return flat


def _walk(
    value: Any, name: str, depth: int
) -> Iterator[tuple[str, entry.Entry]]:
    if depth > _MAX_DEPTH:
        raise UnknownValueError(
            f"{_short(name)} holds containers in containers, over {_MAX_DEPTH} "
            "deep, or itself; expected less"
        )
    if isinstance(value, torch.Tensor):
        yield from _tensor(value, name)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        yield from _walk(value.tolist(), name, depth + 1)
    elif isinstance(value, (np.ndarray, np.generic)):
        yield name, _numpy(np.asarray(value))
    elif isinstance(value, io.BytesIO):
        yield name, _bytes(value.getvalue())
    elif isinstance(value, (bytes, bytearray)):
        yield name, _bytes(bytes(value))
    elif isinstance(value, inert.Inert):
        yield from _walk(value.content(), name, depth + 1)
    elif (
        isinstance(value, torch.Size) or (children := _children(value)) is None
    ):
        yield name, _plain(value)
    elif not children:
        yield name, entry.Plain(type(value).__name__, b"", "empty")
    elif (numbers := _as_numbers(value)) is not None:
        yield name, numbers
    else:
        for key, child in children:
            own = f"{name}/{key}" if name else str(key)
            yield from _walk(child, own, depth + 1)


def _children(value: Any) -> list[tuple[Any, Any]] | None:
    """Returns what a container holds, or None if it is no container."""
    if isinstance(value, argparse.Namespace):
        return list(vars(value).items())
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))
    if isinstance(value, (set, frozenset)):
        return list(enumerate(sorted(value, key=repr)))
    return None


def _as_numbers(value: Any) -> entry.Array | None:
    """Takes a list of numbers of one type, such as a random state, as one."""
    if not isinstance(value, Sequence):
        return None
    types = {type(one) for one in value}
    if len(types) != 1 or (kind := types.pop()) not in _NUMBERS:
        return None
    try:
        array: np.ndarray[Any, Any] = np.array(value, dtype=_NUMBERS[kind])
    except OverflowError:
        return None
    return _array(array, f"list of {kind.__name__}")


def _tensor(
    tensor: torch.Tensor, name: str
) -> Iterator[tuple[str, entry.Entry]]:
    if tensor.is_quantized or tensor.is_meta:
        kind = "quantized" if tensor.is_quantized else "without data"
        raise UnknownValueError(
            f"{_short(name)} is a tensor that is {kind}; expected a tensor "
            "with plain elements"
        )
    if tensor.layout == torch.sparse_coo:
        yield f"{name}/shape", _plain(tensor.shape)
        yield from _tensor(tensor._indices(), f"{name}/indices")
        yield from _tensor(tensor._values(), f"{name}/values")
    elif tensor.layout != torch.strided:
        raise UnknownValueError(
            f"{_short(name)} is a tensor of layout {tensor.layout}; expected "
            "strided or sparse_coo"
        )
    else:
        yield name, of_tensor(tensor)


def of_tensor(tensor: torch.Tensor) -> entry.Array:
    """Returns a strided tensor as an entry."""
    return entry.Array(
        type_name(tensor.dtype),
        tuple(tensor.shape),
        tensor.element_size(),
        lambda: as_bytes(tensor),
    )


def as_bytes(tensor: torch.Tensor) -> entry.Bytes:
    """Returns a tensor's elements; copies only what does not lie in order."""
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    elements: entry.Bytes = plain.reshape(-1).view(torch.uint8).numpy()
    return elements


def type_name(dtype: torch.dtype) -> str:
    """Returns e.g. "bfloat16"."""
    return str(dtype).removeprefix("torch.")


def _numpy(array: np.ndarray[Any, Any]) -> entry.Array:
    return _array(array, str(array.dtype))


def _bytes(content: bytes) -> entry.Array:
    return _array(np.frombuffer(content, np.uint8), entry.BYTES)


def _array(array: np.ndarray[Any, Any], dtype: str) -> entry.Array:
    return entry.Array(
        dtype,
        array.shape,
        array.itemsize,
        lambda: np.frombuffer(array.tobytes(), np.uint8),
    )


def _plain(value: Any) -> entry.Plain:
    kind = type(value).__name__
    if isinstance(value, float):
        return entry.Plain(kind, struct.pack("<d", value), repr(value))
    if isinstance(value, complex):
        bits = struct.pack("<dd", value.real, value.imag)
        return entry.Plain(kind, bits, repr(value))
    text = str(value)
    return entry.Plain(kind, text.encode(errors="surrogatepass"), text)


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:77]}..."
