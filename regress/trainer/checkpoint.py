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

import torch

from regress.checkpoint import (
    commit,
    durable,
    errors,
    layout,
    manifest,
    view,
    weights_only,
)
from regress.run import run_pb2
from regress.trainer import hooks, saved_form, training_state


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
            CheckpointError: The rank's file is missing or damaged, belongs to
                another iteration, or does not fit this rank.
        """
        started = time.monotonic()
        path = self.path(iteration)
        try:
            saved = _read(path, iteration)
            if misfit := saved_form.misfit(_content(state), saved):
                raise errors.CheckpointError(
                    f"The checkpoint file {path} is damaged: {misfit}."
                )
            _restore(saved, state)
        except errors.CheckpointError as error:
            way_out = view.way_out(self.directory, iteration, self.ranks)
            raise errors.CheckpointError(f"{error} {way_out}") from error
        return run_pb2.CheckpointEvent(
            kind=run_pb2.CheckpointEvent.LOADED,
            iteration=iteration,
            bytes=path.stat().st_size,
            seconds=time.monotonic() - started,
        )


@hooks.COLLECT
def to_saved(state: training_state.TrainingState) -> dict[str, Any]:
    """Returns the content of a rank's file, under Megatron-LM's names."""
    return _content(state)


def _content(state: training_state.TrainingState) -> dict[str, Any]:
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
    try:
        training_state.set_streams(saved["rng_state"][0])
    except Exception as error:
        # Python's, NumPy's and torch's generators each raise types of their
        # own for a state that no generator can have.
        raise errors.CheckpointError(
            "The checkpoint's random streams are damaged: "
            f"{weights_only.first_line(error)}."
        ) from error
    state.iteration = saved["iteration"]
    state.consumed_samples = saved["args"].consumed_train_samples


@hooks.READ_CHECKPOINT
def _read(path: pathlib.Path, iteration: int) -> dict[str, Any]:
    try:
        saved = weights_only.load(path)
    except FileNotFoundError as error:
        raise errors.CheckpointError(
            f"The checkpoint has no file {path}."
        ) from error
    except weights_only.UnreadableError as error:
        raise errors.CheckpointError(
            f"The checkpoint file {path} cannot be read: {error}."
        ) from error
    if not isinstance(saved, dict):
        raise errors.CheckpointError(
            f"The checkpoint file {path} is damaged: it holds a "
            f"{type(saved).__name__}; expected a dict."
        )
    found = saved.get("iteration")
    if type(found) is not int or found != iteration:
        raise errors.CheckpointError(
            f"The checkpoint file {path} is of iteration {found!r}; expected "
            f"{iteration}."
        )
    return saved
