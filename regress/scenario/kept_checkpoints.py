"""Keeps the checkpoints of two runs that differ, so that they can be looked at.

The folders of jobs are deleted when the test ends. If the newest checkpoints of
two runs differ, these go to the outputs.
"""

import dataclasses
import importlib
import pathlib
import shutil
from typing import Any

from regress import errors
from regress.run import run_pb2
from regress.scenario import command_scenario, job_checkpoints, job_files

# Bazel zips the outputs.
_MOST_BYTES = 2**30

_FOLDER = "checkpoints"

# It needs torch, which a command and an image need not have.
_FORMATS = "regress.ckpt.formats"


@dataclasses.dataclass(frozen=True)
class Kept:
    """Two checkpoints that differ.

    Attributes:
        a: The one of the uninterrupted run, as a path in the outputs; "" if the
            two are too large to be kept.
        b: The other; "" as before.
        bytes: How large both are.
        most_bytes: How large they may be.
    """

    a: str
    b: str
    bytes: int
    most_bytes: int = _MOST_BYTES


def keep(
    record: run_pb2.RunRecord,
    files: job_files.JobFiles,
    most_bytes: int = _MOST_BYTES,
) -> Kept | None:
    """Moves the newest checkpoints of two runs to the outputs, if they differ.

    Those of two uninterrupted runs come first: if these differ, the resume says
    nothing.

    Args:
        record: What was observed.
        files: Where the files are, and where they go.
        most_bytes: How large they may be.

    Returns:
        What was kept; None if nothing differs.
    """
    for compared, other in (
        (record.repeated_checkpoint, command_scenario.REPEAT),
        (record.checkpoint, command_scenario.RESUMED),
    ):
        if compared.differing and compared.a and compared.b:
            return _keep(compared, other, files, most_bytes)
    return None


def _keep(
    compared: run_pb2.CheckpointComparison,
    other: str,
    files: job_files.JobFiles,
    most_bytes: int,
) -> Kept:
    moves = []
    for run, name in (
        (command_scenario.UNINTERRUPTED, compared.a),
        (other, compared.b),
    ):
        job = command_scenario.job_aside(files, run)
        source = _opened(job / name)
        kept = f"{_FOLDER}/{run}/{source.relative_to(job).as_posix()}"
        moves.append((source, kept.removesuffix("/.")))
    size = sum(
        one.lstat().st_size
        for source, _ in moves
        for one in job_checkpoints.within(source)
    )
    if size > most_bytes:
        return Kept("", "", size, most_bytes)
    for source, path in moves:
        target = files.outputs / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)
    (_, a), (_, b) = moves
    return Kept(a, b, size, most_bytes)


def _opened(path: pathlib.Path) -> pathlib.Path:
    """Returns the one checkpoint that a path means: a root may have several."""
    formats: Any = importlib.import_module(_FORMATS)
    try:
        found: pathlib.Path = formats.find(path).path
    except errors.UserError:
        return path
    return found
