"""Checkpoints in megatron's `torch` format and Megatron-LM's layout.

regress/checkpoint/layout.py describes the files. The order of the writes makes
a save safe to kill at any point: first each rank's file; once all of them are
on disk, the manifest; then the tracker.
"""

import argparse
import dataclasses
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy
import torch

from regress.checkpoint import commit, durable, errors, layout, manifest, view
from regress.run import run_pb2
from regress.trainer import hooks, training_state

# The types that a rank's file holds besides tensors and plain containers. All
# others are refused, so loading a checkpoint cannot run code.
_ALLOWED_TYPES: list[Any] = [
    argparse.Namespace,
    numpy.ndarray,
    numpy.dtype,
    type(numpy.dtype(numpy.uint32)),
    # NumPy's reconstructor of arrays; its module moved in NumPy 2.
    numpy.empty(0).__reduce__()[0],
]


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one job, as one of its ranks sees them.

    Attributes:
        directory: Holds the tracker and a folder for each checkpoint.
        rank: This pipeline rank.
        ranks: The number of pipeline ranks.
        gather: Gathers one object from each rank and returns the list, by
            rank, to all of them; it also acts as a barrier.
        keep: How many of the newest complete checkpoints to keep; 0 for all.
        disk: The file system to write to.
    """

    directory: pathlib.Path
    rank: int
    ranks: int
    gather: Callable[[Any], list[Any]]
    keep: int = 0
    disk: durable.Disk = dataclasses.field(default_factory=durable.Disk)

    def path(self, iteration: int) -> pathlib.Path:
        """Returns the path of this rank's file for one iteration."""
        folder = layout.folder(self.directory, iteration)
        return folder / layout.rank_file(self.rank)

    @hooks.LOOK
    def look(self) -> view.View:
        """Returns this rank's view of the newest checkpoint."""
        return view.look(self.directory, self.rank, self.ranks)

    @hooks.AGREE
    def agree(self, seen: view.View) -> tuple[int | None, list[str]]:
        """Returns the iteration that all ranks load; see `view.agree`."""
        return view.agree(self.gather(seen), self.directory)

    @hooks.WRITE_CHECKPOINT
    def save(
        self,
        state: training_state.TrainingState,
        before_tracker: Callable[[], None],
    ) -> run_pb2.CheckpointEvent:
        """Writes the checkpoint of `state.iteration`.

        Every rank must call this at the same time. An existing checkpoint of
        the same iteration is replaced file by file; that never happens in a
        job that resumed from the newest complete checkpoint.

        Args:
            state: The state to save.
            before_tracker: Called when the rank's file is durable but the
                checkpoint is not complete yet.

        Raises:
            CheckpointWriteError: A file cannot be written. Existing
                checkpoints are untouched.
        """
        started = time.monotonic()
        path = self.path(state.iteration)
        durable.make_folder(self.disk, path.parent)
        written = durable.write(
            self.disk, path, lambda file: torch.save(to_saved(state), file)
        )
        before_tracker()
        files = self.gather(
            manifest.File(
                layout.rank_file(self.rank), written.bytes, written.sha256
            )
        )
        if self.rank == 0:
            self.commit(manifest.Manifest(state.iteration, tuple(files)))
        self.gather(None)
        return run_pb2.CheckpointEvent(
            kind=run_pb2.CheckpointEvent.SAVED,
            iteration=state.iteration,
            bytes=written.bytes,
            seconds=time.monotonic() - started,
        )

    @hooks.COMMIT
    def commit(self, complete: manifest.Manifest) -> None:
        """Turns files that are all on disk into a complete checkpoint."""
        commit.commit(self.disk, self.directory, complete, self.keep)

    def load(
        self, iteration: int, state: training_state.TrainingState
    ) -> run_pb2.CheckpointEvent:
        """Restores `state` and the random streams from one checkpoint.

        Raises:
            CheckpointError: The rank's file is missing or damaged, or belongs
                to another iteration.
        """
        started = time.monotonic()
        path = self.path(iteration)
        _restore(_read(path, iteration), state)
        return run_pb2.CheckpointEvent(
            kind=run_pb2.CheckpointEvent.LOADED,
            iteration=iteration,
            bytes=path.stat().st_size,
            seconds=time.monotonic() - started,
        )


@hooks.COLLECT
def to_saved(state: training_state.TrainingState) -> dict[str, Any]:
    """Returns the content of a rank's file, under Megatron-LM's names."""
    return {
        "checkpoint_version": 3.0,
        "iteration": state.iteration,
        "args": argparse.Namespace(
            iteration=state.iteration,
            consumed_train_samples=state.consumed_samples,
        ),
        **{
            f"model{index}": chunk.state_dict_for_save_checkpoint()
            for index, chunk in enumerate(state.models())
        },
        "optimizer": state.optimizer.state_dict(),
        "opt_param_scheduler": state.scheduler.state_dict(),
        "rng_state": [training_state.get_streams()],
    }


@hooks.RESTORE
def _restore(
    saved: dict[str, Any], state: training_state.TrainingState
) -> None:
    for index, chunk in enumerate(state.models()):
        chunk.load_state_dict(saved[f"model{index}"], strict=True)
    state.optimizer.load_state_dict(saved["optimizer"])
    state.scheduler.load_state_dict(saved["opt_param_scheduler"])
    training_state.set_streams(saved["rng_state"][0])
    state.iteration = saved["iteration"]
    state.consumed_samples = saved["args"].consumed_train_samples


@hooks.READ_CHECKPOINT
def _read(path: pathlib.Path, iteration: int) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals(_ALLOWED_TYPES):
            saved: dict[str, Any] = torch.load(
                path, map_location="cpu", weights_only=True
            )
    except FileNotFoundError as error:
        raise errors.CheckpointError(
            f"The checkpoint has no file {path}; "
            "the tracker names it. Restore the file, or let the tracker name "
            "a complete checkpoint."
        ) from error
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise errors.CheckpointError(
            f"The checkpoint file {path} cannot be read ({reason}). Restore "
            "the file, or let the tracker name a complete checkpoint."
        ) from error
    if saved.get("iteration") != iteration:
        raise errors.CheckpointError(
            f"The checkpoint file {path} is of iteration "
            f"{saved.get('iteration')}; expected {iteration}."
        )
    return saved
