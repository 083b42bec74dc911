"""The manifest of a checkpoint: its files, with sizes and digests.

    {"version": 1, "iteration": 20, "files": [
      {"path": "mp_rank_00_000/model_optim_rng.pt", "bytes": 4711,
       "sha256": "..."}]}

The manifest is written after all other files of the checkpoint. It lets anyone
verify that a folder is a complete checkpoint, on any machine and without torch.
"""

import dataclasses
import json
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from regress import regular_file
from regress.checkpoint import layout

_VERSION = 1
# A job of 100,000 ranks needs a fifth of this.
_MAX_BYTES = 64 << 20
# The run record holds sizes in 64 bits.
_MAX_FILE_BYTES = 2**63 - 1
_PATH = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ManifestError(Exception):
    """A manifest is invalid. The message is the end of a sentence."""


@dataclasses.dataclass(frozen=True)
class File:
    """One file of a checkpoint.

    Attributes:
        path: Path within the checkpoint's folder, such as
            "mp_rank_00_000/model_optim_rng.pt".
        bytes: Its size.
        sha256: The digest of its content, in hex.
    """

    path: str
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The manifest of one checkpoint.

    Attributes:
        iteration: The iteration that it was saved after.
        files: Its files; no path occurs twice.
    """

    iteration: int
    files: tuple[File, ...]

    def file(self, path: str) -> File | None:
        """Returns the file with that path; None if there is none."""
        return next((file for file in self.files if file.path == path), None)


def encode(manifest: Manifest) -> bytes:
    """Encodes a manifest as JSON."""
    fields = {"version": _VERSION, **dataclasses.asdict(manifest)}
    return (json.dumps(fields, indent=1) + "\n").encode()


def decode(content: bytes) -> Manifest:
    """Decodes a manifest from untrusted bytes.

    Raises:
        ManifestError: The bytes are not a valid manifest.
    """
    try:
        fields = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise ManifestError("it is not JSON") from None
    _check_keys(fields, ("version", "iteration", "files"))
    if not _is_number(fields["version"]) or fields["version"] != _VERSION:
        raise ManifestError(f"its version is not {_VERSION}")
    if (
        not _is_number(fields["iteration"])
        or not 0 < fields["iteration"] <= layout.MAX_ITERATION
    ):
        raise ManifestError(
            f"its iteration is not a number from 1 to {layout.MAX_ITERATION}"
        )
    if not isinstance(fields["files"], list) or not fields["files"]:
        raise ManifestError("it lists no files")
    files = tuple(map(_file, fields["files"]))
    if len({file.path for file in files}) < len(files):
        raise ManifestError("it lists a file twice")
    return Manifest(fields["iteration"], files)


def read(folder: pathlib.Path) -> Manifest:
    """Reads the manifest of the checkpoint in a folder.

    Raises:
        ManifestError: The manifest is missing, unreadable or invalid.
    """
    path = folder / layout.MANIFEST
    try:
        with regular_file.open_to_read(path) as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ManifestError(f"it has more than {_MAX_BYTES} bytes")
        return decode(content)
    except OSError as error:
        raise ManifestError(f"it cannot be read: {error.strerror}") from None


def _file(fields: object) -> File:
    checked = _check_keys(fields, ("path", "bytes", "sha256"))
    path, size, digest = checked["path"], checked["bytes"], checked["sha256"]
    if not (
        isinstance(path, str)
        and _PATH.fullmatch(path)
        and ".." not in path.split("/")
    ):
        raise ManifestError(
            "a file's path is not one within the checkpoint's folder"
        )
    if not _is_number(size) or size > _MAX_FILE_BYTES:
        raise ManifestError(
            f"the size of {path} is not a number from 0 to {_MAX_FILE_BYTES}"
        )
    if not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
        raise ManifestError(f"the digest of {path} is not a SHA-256")
    return File(path, size, digest)


def _check_keys(fields: object, keys: Collection[str]) -> Mapping[str, Any]:
    if not isinstance(fields, dict) or fields.keys() != set(keys):
        raise ManifestError(f"it has not the fields {', '.join(keys)}")
    return fields


def _is_number(value: object) -> bool:
    # In Python, JSON's true is an int.
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
