"""Reads checkpoints of torch.distributed.checkpoint, without a process group.

The file `.metadata` says which names there are, and where the parts of each
lie. torch's own reader puts the parts of one tensor together, whatever the
split over ranks was, so the names and shapes are those of the whole model.

torch reads `.metadata` and values that are no tensors with plain pickle, which
runs what a file names. Here both are read by a list of types.
"""

import collections
import io
import itertools
import math
import pathlib
import pickle
from collections.abc import Callable
from typing import Any

import torch
from torch.distributed.checkpoint import (
    default_planner,
    filesystem,
    metadata,
    planner,
)

from regress import regular_file
from regress.checkpoint import weights_only
from regress.ckpt import entry, errors, flatten, pickled

METADATA = ".metadata"

# The modules and names that `.metadata` may have. Paths become pure ones; they
# have another module in Python 3.13.
_ALLOWED = {
    "torch.distributed.checkpoint.metadata": {
        "BytesStorageMetadata",
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
        "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {
        "_StorageInfo",
        "_StoragePrefix",
    },
    "torch": {"Size", "device"},
    "torch.serialization": {"_get_layout"},
    "collections": {"OrderedDict"},
    "builtins": {"set", "frozenset"},
}
_PATHS = {"PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath"}


class _Unpickler(pickle.Unpickler):
    """Finds only what a checkpoint's metadata consists of."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("pathlib", "pathlib._local") and name in _PATHS:
            return pathlib.PurePosixPath
        if module == "torch" and isinstance(
            found := getattr(torch, name, None), torch.dtype
        ):
            return found
        if name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        raise _RefusedTypeError(f"{module}.{name}")


class _RefusedTypeError(Exception):
    """The metadata names a type that it has no use for."""


class _Planner(default_planner.DefaultLoadPlanner):
    """Plans one name at a time, and leaves its values as bytes."""

    def load_bytes(
        self, read_item: planner.ReadItem, value: io.BytesIO
    ) -> None:
        self.state_dict[read_item.dest_index.fqn] = value.getvalue()


def read(folder: pathlib.Path) -> dict[str, entry.Entry]:
    """Returns all that a checkpoint holds, by name; no tensor is read yet.

    Args:
        folder: The folder that has the file `.metadata`.

    Raises:
        CkptError: The metadata or a value cannot be read, or a part of a
            tensor is missing.
    """
    described = _metadata(folder / METADATA)
    _check_files(folder, described)
    reader = filesystem.FileSystemReader(folder)
    reader.set_up_storage_reader(described, is_coordinator=True)
    flat: dict[str, entry.Entry] = {}
    for name, stored in described.state_dict_metadata.items():
        if isinstance(stored, metadata.TensorStorageMetadata):
            _check_parts(folder, name, stored)
            dtype = stored.properties.dtype
            flat[name] = entry.Array(
                flatten.type_name(dtype),
                tuple(stored.size),
                dtype.itemsize,
                _reading(folder, reader, described, name, stored),
            )
        else:
            content = _fetch(folder, reader, described, name, b"")
            value = pickled.parse(content, f"{name} in {folder}")
            try:
                flat.update(flatten.flatten(value, name))
            except flatten.UnknownValueError as error:
                raise errors.CkptError(
                    f"{folder} cannot be compared: {error}."
                ) from error
    return flat


def _check_files(folder: pathlib.Path, described: metadata.Metadata) -> None:
    """Refuses a file whose writer torch's reader would wait for."""
    names = {
        str(getattr(one, "relative_path", ""))
        for one in described.storage_data.values()
    }
    for path in (folder / name for name in names):
        try:
            regular_file.check(path)
        except FileNotFoundError:
            # The reader says which value lies there.
            continue
        except OSError as error:
            raise errors.CkptError(
                f"{path} cannot be read: {error.strerror}."
            ) from error


def _metadata(path: pathlib.Path) -> metadata.Metadata:
    try:
        with regular_file.open_to_read(path) as file:
            read = _Unpickler(file).load()
    except OSError as error:
        raise errors.CkptError(
            f"{path} cannot be read: {error.strerror}."
        ) from error
    except _RefusedTypeError as error:
        raise errors.CkptError(
            f"{path} cannot be read: it holds {error}; expected only what "
            "torch.distributed.checkpoint writes, so nothing of it was loaded."
        ) from error
    except Exception as error:
        # A damaged pickle makes the unpickler raise whatever type it likes.
        raise errors.CkptError(
            f"{path} is damaged: {weights_only.first_line(error)}."
        ) from error
    if not isinstance(read, metadata.Metadata) or not isinstance(
        read.storage_data, dict
    ):
        raise errors.CkptError(
            f"{path} is damaged: it is no metadata of "
            "torch.distributed.checkpoint."
        )
    return read


def _check_parts(
    folder: pathlib.Path, name: str, stored: metadata.TensorStorageMetadata
) -> None:
    """Refuses a tensor whose parts do not make it up exactly.

    Parts that have as many elements as the tensor, lie within it and do not
    overlap leave no hole.
    """
    listed = sum(math.prod(part.sizes) for part in stored.chunks)
    if listed != math.prod(stored.size):
        raise errors.CkptError(
            f"{folder / METADATA} is damaged: the parts of {name} have "
            f"{listed} elements; expected {math.prod(stored.size)}."
        )
    outside = any(
        start < 0 or start + length > size
        for part in stored.chunks
        for start, length, size in zip(
            part.offsets, part.sizes, stored.size, strict=True
        )
    )
    if outside or any(
        _overlap(one, other)
        for one, other in itertools.combinations(stored.chunks, 2)
    ):
        raise errors.CkptError(
            f"{folder / METADATA} is damaged: the parts of {name} overlap, or "
            "lie outside of it; expected each of its elements in one part."
        )


def _overlap(
    one: metadata.ChunkStorageMetadata, other: metadata.ChunkStorageMetadata
) -> bool:
    """Whether two parts of a tensor have an element in common."""
    return all(
        start < other_start + other_length and other_start < start + length
        for start, length, other_start, other_length in zip(
            one.offsets, one.sizes, other.offsets, other.sizes, strict=True
        )
    )


def _reading(
    folder: pathlib.Path,
    reader: filesystem.FileSystemReader,
    described: metadata.Metadata,
    name: str,
    stored: metadata.TensorStorageMetadata,
) -> Callable[[], entry.Bytes]:
    def read() -> entry.Bytes:
        tensor = torch.empty(stored.size, dtype=stored.properties.dtype)
        _fetch(folder, reader, described, name, tensor)
        return flatten.as_bytes(tensor)

    return read


def _fetch(
    folder: pathlib.Path,
    reader: filesystem.FileSystemReader,
    described: metadata.Metadata,
    name: str,
    target: Any,
) -> Any:
    """Fills a tensor, or returns the bytes of a value that is none."""
    wanted: collections.OrderedDict[str, Any] = collections.OrderedDict(
        {name: target}
    )
    plans = _Planner(flatten_state_dict=False, flatten_sharded_tensors=False)
    plans.set_up_planner(wanted, described, True)
    try:
        reader.read_data(plans.create_local_plan(), plans).wait()
    except Exception as error:
        # torch's reader raises many types on a damaged file.
        reason = weights_only.first_line(error)
        if isinstance(error, OSError) and error.strerror:
            reason = f"{error.filename}: {error.strerror}"
        raise errors.CkptError(
            f"{name} in {folder} cannot be read: {reason}."
        ) from error
    return wanted[name]
