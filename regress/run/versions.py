"""Versions of what a rank's numbers come from."""

import importlib.metadata
import platform

_DISTRIBUTIONS = (
    "torch",
    "megatron-core",
    "transformer-engine",
    "numpy",
    "protobuf",
)


def package_versions() -> dict[str, str]:
    """Returns the version of Python and of each package that is here."""
    versions = {"python": platform.python_version()}
    for distribution in _DISTRIBUTIONS:
        try:
            versions[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
