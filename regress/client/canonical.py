"""The form of a value that its digest is made of: type, shape and bytes.

Equal values have the same form in every process, wherever they are in memory,
and on whatever device. Of an object whose text shows where it is in memory only
the type counts. Goldens hold digests of these forms, so a change of a form
makes them stale.

torch and numpy are used if the program has imported them, and are not imported
here.
"""

import ctypes
import hashlib
import re
import sys
from typing import Any

# The first 128 bits of a SHA-256; accidental collisions are not a concern.
DIGITS = 32

_LONGEST_TEXT = 40
# In the text of an object that shows where it is in memory.
_ADDRESS = re.compile(r"\bat 0x[0-9a-f]+")
# Their text is their value: a float's has all of its bits.
PLAIN = (bool, int, float, complex, str, bytes, bytearray, type(None))


def digest(value: Any) -> tuple[str, str]:
    """Digests a value.

    Args:
        value: It stays as it is.

    Returns:
        The digest, in hex, and a description for readers: "float32[64, 256]",
        or the value itself if it is small.
    """
    kind, content = form(value)
    result = hashlib.sha256(kind.encode())
    result.update(content)
    described = kind
    if isinstance(content, bytes) and len(content) <= _LONGEST_TEXT:
        described = content.decode(errors="replace") or kind
    return result.hexdigest()[:DIGITS], described


def form(value: Any) -> tuple[str, Any]:
    """Returns a value's type and shape, and its bytes or a view of them."""
    if _is_a(value, "torch", "Tensor"):
        return _of_tensor(value)
    if _is_a(value, "numpy", "ndarray", "generic"):
        if value.dtype == object:
            return "array of objects", _text(value.tolist()).encode()
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
    if isinstance(value, tuple):
        return kind, "|".join(map(_text, value)).encode(errors="surrogatepass")
    return kind, _text(value).encode(errors="surrogatepass")


def tensor_bytes(tensor: Any) -> Any:
    """Returns a view of a tensor's elements, in order; copies if it must."""
    host = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    size = host.numel() * host.element_size()
    if not size:
        return b""
    view = (ctypes.c_char * size).from_address(host.data_ptr())
    # The view does not keep the tensor alive.
    view.of_tensor = host
    return view


def _is_a(value: Any, module: str, *names: str) -> bool:
    """Returns whether a value is of a class of a module, if that is there."""
    there = sys.modules.get(module)
    return any(isinstance(value, getattr(there, name, ())) for name in names)


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
    return kind, tensor_bytes(tensor)


def _text(value: Any) -> str:
    """Returns a value's text, from which its parts can be told apart.

    The text of a tensor or an array leaves out elements and digits, so a digest
    stands for it, wherever in a container it is.
    """
    if type(value) in PLAIN:
        return repr(value)
    if _is_a(value, "torch", "Tensor"):
        kind, content = form(value)
        return f"{kind} {hashlib.sha256(content).hexdigest()}"
    if _is_a(value, "numpy", "ndarray") and value.dtype != object:
        return hashlib.sha256(value.tobytes()).hexdigest()
    if isinstance(value, tuple):
        items = ", ".join(map(_text, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, dict):
        pairs = (f"{_text(k)}: {_text(v)}" for k, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (set, frozenset)):
        # The order of texts in it differs from process to process.
        return f"{type(value).__name__} {sorted(map(_text, value))}"
    text = repr(value)
    return type(value).__qualname__ if _ADDRESS.search(text) else text
