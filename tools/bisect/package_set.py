"""Installs the wheels of one run into one folder.

Wheels are hard links into this user's cache of installed wheels, which Bazel's
repository rules share.
"""

import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence

from tools.bisect import errors
from tools.python import wheel

_SITE = "site-packages"


def install(
    pins: Sequence[wheel.Pin],
    folder: pathlib.Path,
    cache: pathlib.Path,
    pip_options: Sequence[str] = (),
) -> None:
    """Installs wheels into one folder, as pip does into `site-packages`.

    Distributions that share a package, as those of Transformer Engine do, must
    be in one folder.

    Args:
        pins: The wheels.
        folder: Where to install them. On another disk than the cache's, files
            are copied.
        cache: The cache of installed wheels.
        pip_options: Options for pip, in addition to its configuration.

    Raises:
        ResolutionError: A wheel cannot be fetched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for pin in pins:
        with tempfile.TemporaryDirectory(dir=folder.parent) as own:
            try:
                wheel.install(pin, pathlib.Path(own), cache, pip_options)
            except wheel.WheelError as error:
                raise errors.ResolutionError(str(error)) from error
            shutil.copytree(
                pathlib.Path(own, _SITE),
                folder,
                copy_function=_move,
                dirs_exist_ok=True,
                symlinks=True,
            )


def _move(source: str, target: str) -> None:
    """Moves a file, unless another distribution's file is there."""
    if not os.path.lexists(target):
        pathlib.Path(source).rename(target)
