"""Commits checkpoints too early, which a kill storm must detect.

The manifest and the tracker are written before the ranks' files, with a delay
in between.
"""

import functools
import hashlib
import io
from collections.abc import Callable
from typing import Any

import torch

from regress.checkpoint import durable, layout, manifest
from regress.run import run_pb2
from regress.testing import instrumentation
from regress.trainer import checkpoint, digest, hooks

# The delay is such that about half of an attempt is spent where a kill must be
# detected.
FLAG = instrumentation.flag(__name__, "100")
# Only rank 0 writes its file too late, so whether a kill loses something
# depends on where that rank is killed and on nothing else.
FLAG_OF_RANK_0 = instrumentation.flag(__name__, "rank 0")


def install(argument: str) -> None:
    """Makes every save commit before it writes, as the flags above say."""
    if argument == "rank 0":
        if instrumentation.rank() == 0:
            hooks.WRITE_CHECKPOINT.wrap(_write_late)
        return
    hooks.WRITE_CHECKPOINT.wrap(
        functools.partial(_commit_prematurely, int(argument))
    )


def _write_late(save: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(save)
    def late(
        self: checkpoint.Checkpoints,
        state: Any,
        before_tracker: Callable[[], None],
    ) -> Any:
        whole = _serialized(state)
        path = self.path(state.iteration)
        durable.make_folder(self.disk, path.parent)
        # The other ranks have written their files when this returns.
        files = self.gather(_listed(0, whole))
        self.commit(manifest.Manifest(state.iteration, tuple(files)))
        durable.write(self.disk, path, lambda file: file.write(whole))
        before_tracker()
        self.gather(None)
        return run_pb2.CheckpointEvent(
            kind=run_pb2.CheckpointEvent.SAVED, iteration=state.iteration
        )

    return late


def _commit_prematurely(
    digests: int, save: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(save)
    def premature(
        self: checkpoint.Checkpoints,
        state: Any,
        before_tracker: Callable[[], None],
    ) -> Any:
        files = self.gather(_listed(self.rank, _serialized(state)))
        if self.rank == 0:
            folder = layout.folder(self.directory, state.iteration)
            durable.make_folder(self.disk, folder)
            self.commit(manifest.Manifest(state.iteration, tuple(files)))
        self.gather(None)
        for _ in range(digests):
            digest.digest_state(state, run_pb2.StateDigest.SAVED)
        return save(self, state, before_tracker)

    return premature


def _serialized(state: Any) -> bytes:
    content = io.BytesIO()
    torch.save(checkpoint.to_saved(state), content)
    return content.getvalue()


def _listed(rank: int, content: bytes) -> manifest.File:
    """Returns a rank's file as the manifest lists it."""
    return manifest.File(
        layout.rank_file(rank),
        len(content),
        hashlib.sha256(content).hexdigest(),
    )
