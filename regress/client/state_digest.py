"""Digests what a training program saves and loads, entry by entry.

An entry's name is the path to it: "optimizer/state/0/exp_avg". Its digest is
the first 128 bits of a SHA-256 over type, shape and bytes. Equal values have
equal digests in every process, wherever they are in memory, and on whatever
device. Of an object that is no container, no number and no array only the type
is digested, as its content need not be the same in another process.

torch and numpy are used if the training program has imported them, and are not
imported here.
"""

import array
import ctypes
import hashlib
import itertools
import random
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# The first 128 bits of a SHA-256; accidental collisions are not a concern.
_DIGITS = 32
# Enough to tell the batches and random streams of one run apart.
_SHORT_DIGITS = 12

# A state with more entries is cut, so that an event has a bound.
MOST_ENTRIES = 100_000
_DEEPEST = 50
_LONGEST_TEXT = 40
_LONGEST_NAME = 200

# In the text of an object that shows where it is in memory.
_ADDRESS = re.compile(r"\bat 0x[0-9a-f]+")

_SCALARS = (bool, int, float, complex, str, bytes, bytearray, type(None))


class Entry(NamedTuple):
    """A part of a state.

    Attributes:
        name: The path to it.
        digest: Its digest, in hex.
        description: For readers: "float32[64, 256]", or the value itself if it
            is small.
    """

    name: str
    digest: str
    description: str


def digest(state: Any, prefix: str = "") -> list[Entry]:
    """Digests a state: containers of tensors, arrays, numbers and texts.

    Args:
        state: The state. It stays as it is.
        prefix: What all names start with.
    """
    entries: list[Entry] = []
    for name, value in _leaves(state, prefix, 0):
        if len(entries) == MOST_ENTRIES:
            break
        entries.append(_entry(name or ".", value))
    return entries


def fold(entries: list[Entry]) -> str:
    """Returns one digest for all entries, whatever their order."""
    result = hashlib.sha256()
    for entry in sorted(entries):
        result.update(f"{entry.name} {entry.digest}\n".encode())
    return result.hexdigest()[:_DIGITS]


def batch(value: Any) -> str:
    """Returns a short digest of what a step computes from.

    It is that of all tensors and arrays, and after a "+" that of all else, if
    there is any: a framework may number the batches, and the same samples must
    be found under another number.
    """
    parts: tuple[list[Entry], list[Entry]] = ([], [])
    leaves = itertools.islice(_leaves(value, "", 0), MOST_ENTRIES)
    for name, one in leaves:
        is_array = hasattr(one, "dtype")
        parts[not is_array].append(_entry(name or ".", one))
    return "+".join(fold(part)[:_SHORT_DIGITS] for part in parts if part)


def random_streams() -> dict[str, str]:
    """Returns short digests of this process's random streams, by name.

    They are those of Python, numpy and torch, and of each GPU that is in use.
    """
    # At every step, so as bytes, which cost least.
    version, numbers, gauss = random.getstate()
    streams = {
        "Python": array.array("Q", numbers).tobytes()
        + f"{version} {gauss}".encode()
    }
    if (numpy := sys.modules.get("numpy.random")) is not None:
        name, keys, *rest = numpy.get_state()
        streams["numpy"] = keys.tobytes() + f"{name} {rest}".encode()
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        streams["torch"] = _tensor_bytes(torch.get_rng_state())
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            # A seed and an offset, which the host has.
            own = torch.cuda.default_generators[torch.cuda.current_device()]
            streams["the GPU"] = _tensor_bytes(own.get_state())
    return {
        name: hashlib.sha256(content).hexdigest()[:_SHORT_DIGITS]
        for name, content in streams.items()
    }


def _leaves(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    children = None if depth > _DEEPEST else _children(value)
    if children is None:
        yield name, value
        return
    for key, child in children:
        own = f"{name}/{key}" if name else str(key)
        yield from _leaves(child, own[:_LONGEST_NAME], depth + 1)


def _children(value: Any) -> list[tuple[Any, Any]] | None:
    """Returns what a container holds, or None if it is taken as a whole."""
    if isinstance(value, Mapping):
        return list(value.items()) or None
    if isinstance(value, (list, tuple)):
        if all(isinstance(one, _SCALARS) for one in value):
            return None
        return list(enumerate(value))
    if type(value).__name__ == "Namespace":
        return list(vars(value).items()) or None
    return None


def _entry(name: str, value: Any) -> Entry:
    kind, content = _canonical(value)
    result = hashlib.sha256(f"{kind} ".encode())
    result.update(content)
    told = kind
    if isinstance(content, bytes) and len(content) <= _LONGEST_TEXT:
        told = content.decode(errors="replace") or kind
    return Entry(name, result.hexdigest()[:_DIGITS], told)


def _canonical(value: Any) -> tuple[str, Any]:
    """Returns a value's type and shape, and its bytes."""
    torch = sys.modules.get("torch")
    numpy = sys.modules.get("numpy")
    if torch is not None and isinstance(value, torch.Tensor):
        return _of_tensor(value)
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
        if value.dtype == object:
            return "array of objects", repr(value.tolist()).encode()
        kind = f"{value.dtype}{list(value.shape)}"
        if value.size == 1:
            return kind, repr(value.item()).encode()
        return kind, memoryview(value.tobytes())
    kind = type(value).__name__
    if isinstance(value, (bytes, bytearray)):
        return f"{kind}[{len(value)}]", memoryview(value)
    if hasattr(value, "getvalue"):
        inside = value.getvalue()
        return kind, inside if isinstance(inside, bytes) else inside.encode()
    text = repr(value)
    # A container that gets here has numbers and texts alone.
    if not isinstance(value, (list, tuple)) and _ADDRESS.search(text):
        return kind, type(value).__qualname__.encode()
    return kind, text.encode(errors="surrogatepass")


def _of_tensor(tensor: Any) -> tuple[str, Any]:
    local = getattr(tensor, "to_local", None)
    if local is not None:
        # A part of a tensor that several ranks share.
        tensor = local()
    kind = f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
    if str(tensor.layout) == "torch.sparse_coo":
        parts = (tensor._indices(), tensor._values())
        return f"sparse {kind}", b"".join(
            bytes(_of_tensor(part)[1]) for part in parts
        )
    if tensor.is_meta or str(tensor.layout) != "torch.strided":
        return f"{kind} that is not looked at", b""
    if tensor.is_quantized:
        return f"quantized {kind}", _of_tensor(tensor.int_repr())[1]
    if tensor.numel() == 1:
        return kind, repr(tensor.detach().item()).encode()
    return kind, _tensor_bytes(tensor)


def _tensor_bytes(tensor: Any) -> Any:
    """Returns a view of a tensor's elements, in order; copies if it must."""
    host = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    size = host.numel() * host.element_size()
    if not size:
        return b""
    view = (ctypes.c_char * size).from_address(host.data_ptr())
    # The view does not keep the tensor alive.
    view.of_tensor = host
    return view
