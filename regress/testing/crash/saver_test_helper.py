"""The real checkpoint writer with a small state, and broken variants of it."""

import hashlib
import io
import pathlib
from collections.abc import Callable
from typing import Any

import torch

from regress.checkpoint import durable, layout, manifest
from regress.testing import instrumentation
from regress.testing.crash import sweep
from regress.trainer import checkpoint

RANKS = 4

Gather = Callable[[object], list[object]]


class _Part:
    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def state_dict(self) -> dict[str, Any]:
        return self._fields


class _State:
    """The part of a TrainingState that a save needs."""

    def __init__(self, iteration: int, rank: int, attempt: int) -> None:
        self.iteration = iteration
        self.consumed_samples = 4 * iteration
        content = torch.full((40,), 100 * iteration + 10 * rank + attempt)
        self.optimizer = _Part({"main params": content})
        self.scheduler = _Part({"num_steps": iteration})

    def models(self) -> list[Any]:
        return []


def saver(
    *,
    keep: int = 0,
    attempt: int = 0,
    kind: type[checkpoint.Checkpoints] = checkpoint.Checkpoints,
    with_disk: Callable[[durable.Disk], durable.Disk] = lambda disk: disk,
) -> sweep.Saver:
    """Returns a function that saves as one rank.

    Args:
        keep: See `Checkpoints.keep`.
        attempt: Makes the states of several attempts differ.
        kind: `Checkpoints` or a broken subclass.
        with_disk: Wraps the disk.
    """

    def save(
        root: pathlib.Path,
        rank: int,
        disk: durable.Disk,
        gather: Gather,
        iteration: int,
    ) -> None:
        checkpoints = kind(root, rank, RANKS, gather, keep, with_disk(disk))
        state: Any = _State(iteration, rank, attempt)
        checkpoints.save(state, lambda: None)

    return save


class FlushesNoFile(instrumentation.WrappedDisk):
    """Renames files before their content is on disk."""

    def flush(self, fd: int) -> None:
        """Does nothing."""


class FlushesNoFolder(instrumentation.WrappedDisk):
    """Never flushes the names of files to disk."""

    def flush_folder(self, path: pathlib.Path) -> None:
        """Does nothing."""


class TrackerFirst(checkpoint.Checkpoints):
    """Makes the tracker name a checkpoint that is not written yet."""

    def save(self, state: Any, before_tracker: Callable[[], None]) -> Any:
        """Writes the tracker, then everything else."""
        if self.rank == 0:
            self.directory.mkdir(parents=True, exist_ok=True)
            layout.write_tracker(self.disk, self.directory, state.iteration)
        return super().save(state, before_tracker)


class TrackerBeforeManifest(checkpoint.Checkpoints):
    """Makes the tracker name a checkpoint that has no manifest yet."""

    def commit(self, complete: manifest.Manifest) -> None:
        """Writes the tracker, then the manifest."""
        layout.write_tracker(self.disk, self.directory, complete.iteration)
        super().commit(complete)


class DeletesFirst(checkpoint.Checkpoints):
    """Deletes the old checkpoint to make room for the new one."""

    def save(self, state: Any, before_tracker: Callable[[], None]) -> Any:
        """Deletes, then writes."""
        if self.rank == 0 and self.directory.exists():
            for folder in self.directory.glob("iter_*"):
                self.disk.delete_folder(folder)
        return super().save(state, before_tracker)


class DoesNotWait(checkpoint.Checkpoints):
    """Commits files before the ranks have written them."""

    def save(self, state: Any, before_tracker: Callable[[], None]) -> Any:
        """Gathers the digests, commits, then writes."""
        content = io.BytesIO()
        torch.save(checkpoint.to_saved(state), content)
        written = content.getvalue()
        path = self.path(state.iteration)
        durable.make_folder(self.disk, path.parent)
        files = self.gather(
            manifest.File(
                layout.rank_file(self.rank),
                len(written),
                hashlib.sha256(written).hexdigest(),
            )
        )
        if self.rank == 0:
            self.commit(manifest.Manifest(state.iteration, tuple(files)))
        durable.write(self.disk, path, lambda file: file.write(written))
