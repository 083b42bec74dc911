"""Edits the files of a checkpoint between the attempts."""

import hashlib
import pathlib
from collections.abc import Callable
from typing import Any

import torch

from regress.checkpoint import layout, manifest
from regress.scenario import job_files

Edit = Callable[[job_files.JobFiles], None]


def path(files: job_files.JobFiles, rank: int, iteration: int) -> pathlib.Path:
    """A rank's file, in Megatron-LM's layout."""
    folder = layout.folder(files.checkpoints, iteration)
    return folder / layout.rank_file(rank)


def tracker(files: job_files.JobFiles) -> pathlib.Path:
    """The file that names the newest checkpoint."""
    return files.checkpoints / layout.TRACKER


def read(path: pathlib.Path) -> dict[str, Any]:
    """Reads a rank's file."""
    # It holds more than tensors, and we wrote it.
    saved: dict[str, Any] = torch.load(path, weights_only=False)
    return saved


def edit(
    rank: int, iteration: int, change: Callable[[dict[str, Any]], None]
) -> Edit:
    """Changes what a rank's file holds, as if it had been saved so."""

    def edit_file(files: job_files.JobFiles) -> None:
        file = path(files, rank, iteration)
        saved = read(file)
        change(saved)
        torch.save(saved, file)
        list_again(files, iteration)

    return edit_file


def list_again(files: job_files.JobFiles, iteration: int) -> None:
    """Makes the manifest, if there is one, say what the files are now."""
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
    """Changes what a rank's file holds by what another file holds.

    Args:
        rank: Of the file that is changed.
        iteration: Of the file that is changed.
        change: Called with what the file and the other hold.
        other_rank: By default the same.
        other_iteration: By default the same.
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
    """Returns an edit that does all of these."""

    def edit_all(files: job_files.JobFiles) -> None:
        for one in edits:
            one(files)

    return edit_all
