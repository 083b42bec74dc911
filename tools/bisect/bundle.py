"""Builds the bundle of a resume test with Bazel, and unpacks it."""

import pathlib
import subprocess
import tarfile
from collections.abc import Sequence

from regress import bazel
from tools.bisect import errors

_SUFFIX = ".bundle"


def find(root: pathlib.Path, test: str) -> str:
    """Returns the full label of a resume test's bundle.

    Args:
        root: The workspace.
        test: The test's label, as the user wrote it.

    Raises:
        BisectError: There is no such target, or it is not a resume_test.
    """
    listed = bazel.command("query", "kind(_portable_bundle, //...)")
    hint = (
        f"see `{listed}`, which lists the bundles, each with the name of its "
        "test before `.bundle`"
    )
    found = _query(root, test)
    if len(found) != 1:
        count = f"{len(found)} targets" if found else "no such target"
        raise errors.BisectError(
            f"--test={test}: expected the label of one resume_test, found "
            f"{count}: {hint}."
        )
    kind, _, label = found[0].rpartition(" ")
    bundle = _query(root, label + _SUFFIX)
    if not bundle or not bundle[0].startswith("_portable_bundle rule "):
        raise errors.BisectError(
            f"--test={test}: expected a resume_test, found {label} to be a "
            f"{kind} without a bundle: {hint}."
        )
    return label + _SUFFIX


def build(
    root: pathlib.Path, label: str, folder: pathlib.Path, flags: Sequence[str]
) -> pathlib.Path:
    """Builds a bundle.

    Args:
        root: The workspace.
        label: The bundle's label.
        folder: Where to unpack it.
        flags: Flags for Bazel, such as `--config=h200`.

    Returns:
        The folder that Python runs.

    Raises:
        BisectError: The bundle cannot be built; Bazel has printed why.
    """
    command = [bazel.program(), "build", *flags, label]
    if subprocess.run(command, cwd=root, check=False).returncode:
        raise errors.BisectError(
            f"{label}: expected Bazel to build it, and it failed as said "
            f"above: try `{' '.join(command)}` until it does not."
        )
    where = subprocess.run(
        [bazel.program(), "info", *flags, "bazel-bin"],
        cwd=root,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    path = label.lstrip("@/").replace(":", "/")
    archive = pathlib.Path(where.stdout.strip(), f"{path}.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / pathlib.PurePath(path).name


def _query(root: pathlib.Path, label: str) -> list[str]:
    """Returns the kind and label of each target that a pattern matches."""
    result = subprocess.run(
        [
            bazel.program(),
            "query",
            "--noshow_progress",
            "--output=label_kind",
            label,
        ],
        cwd=root,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return result.stdout.splitlines() if result.returncode == 0 else []
