"""The packages that a job's Python finds, and where they come from.

Under Bazel, packages come from the lock. With `--config=image`, and in a
portable bundle, they come with the Python of a machine or a container image.
Those are not pinned, so a run records which ones it used.
"""

import functools
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import re
from collections.abc import Iterable, Mapping, Sequence

# Environment variable set by a portable bundle, which uses the packages of the
# Python that runs it.
IMAGE_PYTHON = "REGRESS_IMAGE_PYTHON"

# File that tools/python/image.py writes next to the packages that it links.
ORIGIN = "image_python"

# Packages that a rank's numbers depend on.
_COMPUTING = (
    "torch",
    "megatron-core",
    "transformer-engine",
    "numpy",
    "protobuf",
)


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that compute.

    They are looked up once: a process cannot change what it has imported, and
    forks have what the zygote found.
    """
    return dict(_versions())


@functools.cache
def _versions() -> Mapping[str, str]:
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
    """Returns the Python that provided the packages; "" if the lock did.

    Args:
        path: Folders to search for packages; by default those of this Python.
    """
    if chosen := os.environ.get(IMAGE_PYTHON):
        return chosen
    for torch in _distributions(path, name=_COMPUTING[0]):
        origin = pathlib.Path(str(torch.locate_file(ORIGIN)))
        if origin.is_file():
            return origin.read_text()
    return ""


def record_digests(path: Sequence[str] | None = None) -> dict[str, str]:
    """Returns the SHA-256 of each distribution's RECORD, by index name.

    A RECORD lists the digests of the distribution's files. Distributions
    without one, such as those installed by an operating system, are left out.

    Args:
        path: Folders to search for packages; by default those of this Python.
    """
    return {
        _index_name(distribution): hashlib.sha256(record.encode()).hexdigest()
        for distribution in _distributions(path)
        if (record := distribution.read_text("RECORD"))
    }


def of_computing(digests: Mapping[str, str]) -> dict[str, str]:
    """Returns the entries of the packages that the numbers depend on."""
    return {name: digests[name] for name in _COMPUTING if name in digests}


def _index_name(distribution: importlib.metadata.Distribution) -> str:
    """Returns "transformer-engine" for a name like "transformer_engine"."""
    return re.sub(r"[-_.]+", "-", distribution.name).lower()


def _distributions(
    path: Sequence[str] | None, name: str | None = None
) -> Iterable[importlib.metadata.Distribution]:
    if path is None:
        return importlib.metadata.distributions(name=name)
    return importlib.metadata.distributions(path=[*path], name=name)
