"""Installs what a pool needs, if it is missing."""

import os
import pathlib
import shutil
import subprocess

from regress import bazel
from tools.remote import pool

_DEBIAN_SID = pathlib.Path(__file__).parents[1] / "debian_sid"


def workspace() -> pathlib.Path:
    """Returns the source tree's root.

    Raises:
        PoolError: This was not started by `bazel run`.
    """
    root = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if not root:
        run = bazel.command("run", bazel.own("//tools/remote"))
        raise pool.PoolError(f"run it as `{run}`.")
    return pathlib.Path(root)


def debian_sid() -> pathlib.Path:
    """Installs PostgreSQL, and returns a directory with Debian sid.

    Raises:
        PoolError: One of them cannot be installed.
    """
    if not shutil.which("initdb", path=_postgres_path()):
        for command in (
            ["apt-get", "update", "--quiet", "--quiet"],
            [
                *("apt-get", "install", "--yes", "--quiet", "--quiet"),
                *("--no-install-recommends", "postgresql"),
            ],
        ):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            if subprocess.run(command, check=False, env=environment).returncode:
                raise pool.PoolError(
                    "apt-get cannot install postgresql: install it, as root, "
                    "and run this again."
                )
    made = subprocess.run(
        [_DEBIAN_SID],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if made.returncode:
        raise pool.PoolError("there is no Debian sid for the workers.")
    return pathlib.Path(made.stdout.strip())


def _postgres_path() -> str:
    programs = pathlib.Path("/usr/lib/postgresql").glob("*/bin")
    return os.pathsep.join(map(str, programs))
