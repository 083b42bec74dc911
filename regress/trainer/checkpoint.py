"""Checkpoints in megatron's `torch` format, in Megatron-LM's layout.

    latest_checkpointed_iteration.txt          the tracker
    iter_0000020/mp_rank_00_003/model_optim_rng.pt

One file a rank (tensor rank 0, pipeline rank 3). The tracker is written last,
so it never names a checkpoint that is not there.
"""

import argparse
import dataclasses
import os
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy
import torch

from regress.run import run_pb2
from regress.trainer import random_state, training_state

TRACKER = "latest_checkpointed_iteration.txt"
_RANK_FILE = "model_optim_rng.pt"

# What a rank's file holds besides tensors and plain containers. Everything
# else is refused, so a checkpoint cannot run code on load.
_ALLOWED_TYPES: list[Any] = [
    argparse.Namespace,
    numpy.ndarray,
    numpy.dtype,
    type(numpy.dtype(numpy.uint32)),
    # What makes an array, in a module that moved in numpy 2.
    numpy.empty(0).__reduce__()[0],
]


class CheckpointError(Exception):
    """A checkpoint is missing or damaged. One sentence."""


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one job, as one of its ranks sees them.

    Attributes:
      directory: holds the tracker and a folder for each checkpoint.
      rank: the pipeline rank.
      barrier: waits until every rank has come as far.
    """

    directory: pathlib.Path
    rank: int
    barrier: Callable[[], None]

    def path(self, iteration: int) -> pathlib.Path:
        """The file of this rank, for one iteration."""
        folder = f"mp_rank_00_{self.rank:03d}"
        return self.directory / f"iter_{iteration:07d}" / folder / _RANK_FILE

    def newest(self) -> int | None:
        """The iteration that the tracker names; None if there is no tracker.

        Raises:
          CheckpointError: the tracker does not hold a positive number.
        """
        tracker = self.directory / TRACKER
        try:
            text = tracker.read_text()
        except FileNotFoundError:
            return None
        if not text.strip().isdecimal() or int(text) == 0:
            raise CheckpointError(
                f"The checkpoint tracker {tracker} holds {text!r}; expected "
                "the number of an iteration. Write the newest complete "
                "iteration into it, or delete it to train from the start."
            )
        return int(text)

    def save(
        self,
        state: training_state.TrainingState,
        before_tracker: Callable[[], None],
    ) -> run_pb2.CheckpointEvent:
        """Writes the checkpoint of `state.iteration`, on all ranks at once.

        Args:
          state: what to save.
          before_tracker: called when the rank's file is durable and the
            tracker does not name it yet.
        """
        started = time.monotonic()
        path = self.path(state.iteration)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_durably(path, lambda file: torch.save(_to_saved(state), file))
        before_tracker()
        self.barrier()
        if self.rank == 0:
            _write_durably(
                self.directory / TRACKER,
                lambda file: file.write(str(state.iteration).encode()),
            )
        self.barrier()
        return run_pb2.CheckpointEvent(
            kind=run_pb2.CheckpointEvent.SAVED,
            iteration=state.iteration,
            bytes=path.stat().st_size,
            seconds=time.monotonic() - started,
        )

    def load(
        self, iteration: int, state: training_state.TrainingState
    ) -> run_pb2.CheckpointEvent:
        """Restores `state` and the random streams from one checkpoint.

        Raises:
          CheckpointError: the rank's file is missing, damaged, or of another
            iteration.
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


def _to_saved(state: training_state.TrainingState) -> dict[str, Any]:
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
        "rng_state": [random_state.get_states()],
    }


def _restore(
    saved: dict[str, Any], state: training_state.TrainingState
) -> None:
    for index, chunk in enumerate(state.models()):
        chunk.load_state_dict(saved[f"model{index}"], strict=True)
    state.optimizer.load_state_dict(saved["optimizer"])
    state.scheduler.load_state_dict(saved["opt_param_scheduler"])
    random_state.set_states(saved["rng_state"][0])
    state.iteration = saved["iteration"]
    state.consumed_samples = saved["args"].consumed_train_samples


def _read(path: pathlib.Path, iteration: int) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals(_ALLOWED_TYPES):
            saved: dict[str, Any] = torch.load(
                path, map_location="cpu", weights_only=True
            )
    except FileNotFoundError as error:
        raise CheckpointError(
            f"The checkpoint of iteration {iteration} has no file {path}; "
            "the tracker names it. Restore the file, or let the tracker name "
            "a complete checkpoint."
        ) from error
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"The checkpoint file {path} cannot be read ({reason}). Restore "
            "the file, or let the tracker name a complete checkpoint."
        ) from error
    if saved.get("iteration") != iteration:
        raise CheckpointError(
            f"The checkpoint file {path} is of iteration "
            f"{saved.get('iteration')}; expected {iteration}."
        )
    return saved


def _write_durably(path: pathlib.Path, write: Callable[[Any], object]) -> None:
    """Writes aside, flushes to the disk and renames: all or nothing."""
    aside = path.with_name(path.name + ".part")
    with open(aside, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
