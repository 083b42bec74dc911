"""Digests what a training program saves and loads, entry by entry.

An entry's name is the path to it: "optimizer/state/0/exp_avg". Its digest is
made of its canonical form; equal values have equal digests in every process.
"""

import array
import hashlib
import itertools
import random
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from regress.client import canonical

# Enough to tell the batches and random streams of one run apart.
_SHORT_DIGITS = 12

# A state with more entries is cut, so that an event has a bound.
MOST_ENTRIES = 100_000
_DEEPEST = 50
_LONGEST_NAME = 200


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
    return result.hexdigest()[: canonical.DIGITS]


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
        streams["torch"] = canonical.tensor_bytes(torch.get_rng_state())
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            # A seed and an offset, which the host has.
            own = torch.cuda.default_generators[torch.cuda.current_device()]
            streams["the GPU"] = canonical.tensor_bytes(own.get_state())
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
        if all(isinstance(one, canonical.PLAIN) for one in value):
            return None
        return list(enumerate(value))
    if type(value).__name__ == "Namespace":
        return list(vars(value).items()) or None
    return None


def _entry(name: str, value: Any) -> Entry:
    return Entry(name, *canonical.digest(value))
