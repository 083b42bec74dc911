"""Digests of what a step reads, small enough to be recorded at every step.

They tell where a step that went wrong began to: in its samples, in its random
streams, or in what it made of them.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from regress.trainer import digest, random_state

# A double holds so many bits; by accident, two inputs in 10^14 are alike.
_BYTES = 6


def of_batch(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Digests a microbatch: every tensor with its name, type and shape.

    Args:
      tensors: by name; on the CPU, lest the step wait for the device.
    """
    result = hashlib.sha256()
    for name in sorted(tensors):
        _update(result, name, tensors[name])
    return result.digest()


def fold(digests: Iterable[bytes]) -> int:
    """Folds the digests of a step's microbatches, in order, to 48 bits."""
    return _first_bits(hashlib.sha256(b"".join(digests)))


def of_random_state() -> int:
    """Digests every random stream of this rank, to 48 bits."""
    result = hashlib.sha256()
    for name, stream in random_state.named_streams():
        _update(result, name, stream)
    return _first_bits(result)


def _update(result: "hashlib._Hash", name: str, value: Any) -> None:
    kind, content = digest.canonical_form(value)
    result.update(f"{name} {kind} ".encode())
    result.update(content)


def _first_bits(result: "hashlib._Hash") -> int:
    return int.from_bytes(result.digest()[:_BYTES], "big")
