"""What a checkpoint holds under one name: an array, or one plain value.

An array is known by its type and shape before any of it is read, so a
checkpoint can be listed without reading it, and compared one array at a time.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

Bytes = npt.NDArray[np.uint8]

# Types that are no dtype of torch or NumPy, and the dtypes of their elements:
# strings of bytes, and lists of numbers of Python.
BYTES = "bytes"
OF_PYTHON = {
    BYTES: "uint8",
    "list of bool": "bool",
    "list of float": "float64",
    "list of int": "int64",
}


@dataclasses.dataclass(frozen=True)
class Array:
    """A tensor, or whatever else has many elements of one type.

    Attributes:
        dtype: The type of its elements, as torch calls it: "bfloat16".
        shape: Its shape.
        itemsize: The bytes of one element.
        read: Returns the bytes of its elements, in row-major order.
    """

    dtype: str
    shape: tuple[int, ...]
    itemsize: int
    read: Callable[[], Bytes]

    @property
    def bytes(self) -> int:
        """The bytes of all elements."""
        return int(np.prod(self.shape, dtype=object)) * self.itemsize

    def describe(self) -> str:
        """Returns e.g. "bfloat16 [512, 64]"."""
        return f"{self.dtype} {list(self.shape)}"


@dataclasses.dataclass(frozen=True)
class Plain:
    """One value that is no array: a number, a text, None, an empty list.

    Attributes:
        kind: Its type: "int".
        bits: What it is compared by.
        text: The value, for a reader.
    """

    kind: str
    bits: bytes
    text: str

    def describe(self) -> str:
        """Returns e.g. "int 20"."""
        return f"{self.kind} {self.text}"


Entry = Array | Plain


def element_text(dtype: str, bits: bytes) -> str:
    """Formats one element in the fewest digits that restore it.

    Args:
        dtype: The type of the element, as an `Array` has it.
        bits: The element's bytes.
    """
    name = OF_PYTHON.get(dtype, dtype)
    torch_type = getattr(torch, name, None)
    if name == "float32":
        return str(np.frombuffer(bits, np.float32)[0])
    if isinstance(torch_type, torch.dtype):
        element = torch.frombuffer(bytearray(bits), dtype=torch_type)
        return str(element[0].item())
    try:
        return str(np.frombuffer(bits, np.dtype(name))[0])
    except (TypeError, ValueError):
        return f"0x{bits.hex()}"
