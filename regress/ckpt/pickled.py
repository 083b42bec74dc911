"""Reads what torch.save wrote, without running it.

A file is mapped, so that its tensors are read when they are compared. Files of
the format before torch 1.6 cannot be mapped and are read whole.
"""

import collections
import contextlib
import io
import pathlib
import zipfile
from typing import IO, Any

import numpy as np
import torch

from regress import regular_file
from regress.checkpoint import weights_only
from regress.ckpt import errors, inert

# How the two files start that torch.save has written: a ZIP archive, and a
# pickle of a magic number.
ZIP_MAGIC = b"PK\x03\x04"
OLD_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

# Each of them only holds data. NumPy's own two functions have had another name
# before NumPy 2, which a file may still have.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_SCALAR = np.float64(0).__reduce__()[0]
_TYPES: tuple[Any, ...] = (
    *weights_only.RANK_FILE_TYPES,
    *{type(np.dtype(code)) for code in np.typecodes["All"]},
    (_RECONSTRUCT, "numpy.core.multiarray._reconstruct"),
    (_SCALAR, "numpy.core.multiarray.scalar"),
    _SCALAR,
    collections.Counter,
    collections.defaultdict,
    frozenset,
    io.BytesIO,
    set,
)


def read(path: pathlib.Path) -> Any:
    """Returns what a file holds.

    Args:
        path: The file.

    Raises:
        CkptError: It cannot be read, is damaged, or holds a type that is
            neither data nor one of Megatron's.
    """
    with _refuse(str(path)):
        with regular_file.open_to_read(path) as file:
            is_zip = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
        if is_zip and _is_script(path):
            raise errors.CkptError(
                f"{path} cannot be read: it is a TorchScript archive; expected "
                "a file of torch.save."
            )
        return weights_only.load(path, _types_for(path), mmap=is_zip)


def parse(content: bytes, what: str) -> Any:
    """Returns what the content of a file holds.

    Args:
        content: What torch.save wrote.
        what: What to call it in an error.

    Raises:
        CkptError: It is damaged, or holds a type as in `read`.
    """
    with _refuse(what):
        return weights_only.load(
            io.BytesIO(content), _types_for(io.BytesIO(content))
        )


@contextlib.contextmanager
def _refuse(what: str) -> Any:
    try:
        yield
    except OSError as error:
        raise errors.CkptError(
            f"{what} cannot be read: {error.strerror or error}."
        ) from error
    except weights_only.UnreadableError as error:
        raise errors.CkptError(f"{what} cannot be read: {error}.") from error


def _types_for(file: pathlib.Path | IO[bytes]) -> list[Any]:
    """Returns the types that a file may hold, stand-ins among them."""
    try:
        with torch.serialization.safe_globals(list(_TYPES)):
            names = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except Exception:
        # The file is damaged or of the older format. The reader says so.
        names = []
    return [
        *_TYPES,
        *(inert.stand_in(name) for name in names if inert.has_stand_in(name)),
    ]


def _is_script(path: pathlib.Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(
                name.endswith("/constants.pkl") for name in archive.namelist()
            )
    except zipfile.BadZipFile:
        return False
