"""A trainer that says too early that a checkpoint is complete.

What a kill storm must find: the manifest and the tracker are there before the
ranks' files, and it takes its time in between.
"""

import functools
import hashlib
import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

from regress.checkpoint import durable, layout, manifest
from regress.testing import instrumentation
from regress.testing.crash import marked_trainer

# So that about half of an attempt's time is spent where a kill must show.
_DIGESTS = 100


def preload(argv: Sequence[str]) -> None:
    """Imports what every rank needs, as the trainer's own."""
    marked_trainer.preload(argv)


def main(argv: Sequence[str]) -> int:
    """Runs one rank. Returns its exit code."""
    preload(argv)
    instrumentation.replaced(
        "regress.trainer.checkpoint", "Checkpoints.save", _commit_prematurely
    )()
    return marked_trainer.main(argv)


def _commit_prematurely(save: Callable[..., Any]) -> Callable[..., Any]:
    import torch

    from regress.run import run_pb2
    from regress.trainer import checkpoint, digest

    @functools.wraps(save)
    def premature(
        self: Any, state: Any, before_tracker: Callable[[], None]
    ) -> Any:
        content = io.BytesIO()
        torch.save(checkpoint._to_saved(state), content)
        promised = manifest.File(
            layout.rank_file(self.rank),
            len(content.getvalue()),
            hashlib.sha256(content.getvalue()).hexdigest(),
        )
        files = self.gather(promised)
        if self.rank == 0:
            folder = layout.folder(self.directory, state.iteration)
            durable.make_folder(self.disk, folder)
            self._commit(manifest.Manifest(state.iteration, tuple(files)))
        self.gather(None)
        for _ in range(_DIGESTS):
            digest.digest_state(state, run_pb2.StateDigest.SAVED)
        return save(self, state, before_tracker)

    return premature


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
