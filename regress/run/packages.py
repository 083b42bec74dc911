"""The packages that a job's Python finds, and who brought them.

Under Bazel they are the lock's. With `--config=image`, and in a portable
bundle, they are those of a Python that a machine or a container image brings:
nobody here has pinned them, so a run says what they were.
"""

import hashlib
import importlib.metadata
import os
import pathlib
import platform
import re
from collections.abc import Iterable, Mapping, Sequence

# Set by a bundle, whose packages are those of the Python that runs it.
IMAGE_PYTHON = "REGRESS_IMAGE_PYTHON"

# The file that tools/python/image.py writes beside what it links.
ORIGIN = "image_python"

# What a rank's numbers come from.
_COMPUTING = (
    "torch",
    "megatron-core",
    "transformer-engine",
    "numpy",
    "protobuf",
)


def versions() -> dict[str, str]:
    """Returns the version of Python and of each package that computes."""
    found = {"python": platform.python_version()}
    for distribution in _COMPUTING:
        try:
            found[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def all_versions() -> dict[str, str]:
    """Returns the version of every distribution that this Python finds."""
    return {
        distribution.name: distribution.version
        for distribution in importlib.metadata.distributions()
    }


def image_python(path: Sequence[str] | None = None) -> str:
    """Returns the Python that brought the packages; "" if they are the lock's.

    Args:
        path: Folders with packages; by default those that this Python has.
    """
    if chosen := os.environ.get(IMAGE_PYTHON):
        return chosen
    for torch in _distributions(path, name=_COMPUTING[0]):
        origin = pathlib.Path(str(torch.locate_file(ORIGIN)))
        if origin.is_file():
            return origin.read_text()
    return ""


def record_digests(path: Sequence[str] | None = None) -> dict[str, str]:
    """Returns the SHA-256 of each distribution's RECORD, by its index name.

    A RECORD has the digest of each of the distribution's files. What was
    installed without one, as by an operating system, is left out.

    Args:
        path: Folders with packages; by default those that this Python has.
    """
    return {
        _index_name(distribution): hashlib.sha256(record.encode()).hexdigest()
        for distribution in _distributions(path)
        if (record := distribution.read_text("RECORD"))
    }


def of_computing(digests: Mapping[str, str]) -> dict[str, str]:
    """Returns the entries of those distributions that compute."""
    return {name: digests[name] for name in _COMPUTING if name in digests}


def _index_name(distribution: importlib.metadata.Distribution) -> str:
    """As "transformer-engine", which calls itself "transformer_engine"."""
    return re.sub(r"[-_.]+", "-", distribution.name).lower()


def _distributions(
    path: Sequence[str] | None, name: str | None = None
) -> Iterable[importlib.metadata.Distribution]:
    if path is None:
        return importlib.metadata.distributions(name=name)
    return importlib.metadata.distributions(path=[*path], name=name)
