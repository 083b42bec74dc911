"""Edits the files of a checkpoint between attempts."""

import hashlib
import pathlib
from collections.abc import Callable
from typing import Any

import torch

from regress.checkpoint import layout, manifest
from regress.scenario import job_files

Edit = Callable[[job_files.JobFiles], None]


def path(files: job_files.JobFiles, rank: int, iteration: int) -> pathlib.Path:
    """Returns the path of a rank's file, in Megatron-LM's layout."""
    folder = layout.folder(files.checkpoints, iteration)
    return folder / layout.rank_file(rank)


def tracker(files: job_files.JobFiles) -> pathlib.Path:
    """Returns the path of the tracker, which names the newest checkpoint."""
    return files.checkpoints / layout.TRACKER


def read(path: pathlib.Path) -> dict[str, Any]:
    """Reads a rank's file."""
    # Safe without weights_only, since we wrote the file; it holds more than
    # tensors.
    saved: dict[str, Any] = torch.load(path, weights_only=False)
    return saved


def edit(
    rank: int, iteration: int, change: Callable[[dict[str, Any]], None]
) -> Edit:
    """Changes the content of a rank's file, as if it was saved that way."""

    def edit_file(files: job_files.JobFiles) -> None:
        file = path(files, rank, iteration)
        saved = read(file)
        change(saved)
        torch.save(saved, file)
        list_again(files, iteration)

    return edit_file


def list_again(files: job_files.JobFiles, iteration: int) -> None:
    """Updates the manifest, if there is one, to match the files."""
    folder = layout.folder(files.checkpoints, iteration)
    if not (folder / layout.MANIFEST).exists():
        return
    listed = [
        manifest.File(
            file.path,
            len(content := (folder / file.path).read_bytes()),
            hashlib.sha256(content).hexdigest(),
        )
        for file in manifest.read(folder).files
    ]
    (folder / layout.MANIFEST).write_bytes(
        manifest.encode(manifest.Manifest(iteration, tuple(listed)))
    )


def mix(
    rank: int,
    iteration: int,
    change: Callable[[dict[str, Any], dict[str, Any]], None],
    *,
    other_rank: int | None = None,
    other_iteration: int | None = None,
) -> Edit:
    """Changes the content of a rank's file by that of another file.

    Args:
        rank: The rank of the file to change.
        iteration: The iteration of the file to change.
        change: Called with the contents of the file and of the other file.
        other_rank: The rank of the other file; by default `rank`.
        other_iteration: The iteration of the other file; by default
            `iteration`.
    """

    def edit_file(files: job_files.JobFiles) -> None:
        other = path(
            files,
            rank if other_rank is None else other_rank,
            iteration if other_iteration is None else other_iteration,
        )
        edit(rank, iteration, lambda saved: change(saved, read(other)))(files)

    return edit_file


def several(*edits: Edit) -> Edit:
    """Combines several edits."""

    def edit_all(files: job_files.JobFiles) -> None:
        for one in edits:
            one(files)

    return edit_all
