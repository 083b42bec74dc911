"""Values as bytes, the same for the same value in every process."""

import hashlib
from typing import Any

import numpy
import torch


def form(value: Any) -> tuple[str, bytes | memoryview]:
    """Returns the value's type and shape, and its bytes.

    Args:
      value: a tensor, an array, or a plain Python value.
    """
    if isinstance(value, numpy.ndarray):
        value = torch.from_numpy(value)
    if isinstance(value, torch.Tensor):
        kind = f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
        host = value.detach().cpu().contiguous().reshape(-1)
        if host.numel() == 1:
            return kind, repr(host.item()).encode()
        return kind, host.view(torch.uint8).numpy().data
    # repr gives all digits of a float.
    if isinstance(value, tuple):
        text = "|".join(
            hashlib.sha256(item.tobytes()).hexdigest()
            if isinstance(item, numpy.ndarray)
            else repr(item)
            for item in value
        )
        return "tuple", text.encode()
    return type(value).__name__, repr(value).encode()
