"""The trainer, which can die in a save and leaves a marker of its phase."""

import functools
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from regress.checkpoint import disk, layout
from regress.testing import instrumentation
from regress.testing.crash import phase_marker as phase_marker_lib
from regress.trainer import main as trainer

_PHASE_MARKERS = flags.DEFINE_string(
    "phase_markers", "", "Folder of the ranks' markers; none by default."
)
_DIE_IN = flags.DEFINE_integer(
    "die_in", 0, "Iteration whose save is counted by steps; none by default."
)
_DIE_AT = flags.DEFINE_list(
    "die_at",
    [],
    "Ranks, each with the step of that save to die at, as '0:4,2:2h': see "
    "regress/testing/crash/die_at_step.py.",
)

# What a rank does, by the function that does it.
_PHASES = (
    ("regress.trainer.rank", "Rank._join", "join the other ranks"),
    ("regress.trainer.training_state", "build", "build the model"),
    ("regress.run.control", "Control.wait_to_begin", "wait to begin"),
    ("regress.trainer.checkpoint", "Checkpoints.look", "look for checkpoints"),
    ("regress.trainer.checkpoint", "Checkpoints.agree", "agree on one"),
    ("regress.trainer.checkpoint", "_read", "read a checkpoint"),
    ("regress.trainer.checkpoint", "_restore", "restore the state"),
    ("regress.trainer.data", "build_dataset", "build the data set"),
    ("regress.trainer.digest", "digest_state", "digest the state"),
    ("regress.trainer.step", "Stepper.run", "step: communicate or backward"),
    ("regress.trainer.step", "Stepper._forward_step", "step: forward"),
    ("regress.trainer.step_metrics", "params_norm", "step: metrics"),
    (
        "megatron.core.optimizer.optimizer",
        "ChainedOptimizer.step",
        "step: optimizer",
    ),
    (
        "megatron.core.optimizer_param_scheduler",
        "OptimizerParamScheduler.step",
        "step: scheduler",
    ),
    ("regress.run.event_stream", "Writer.write", "write an event"),
    ("regress.trainer.checkpoint", "Checkpoints.save", "save: wait or pickle"),
    ("regress.trainer.checkpoint", "Checkpoints._commit", "save: commit"),
    ("torch.distributed", "destroy_process_group", "tear down"),
)
_DISK = (
    "create",
    "write",
    "flush",
    "rename",
    "make_folder",
    "flush_folder",
    "delete_folder",
)


def preload(argv: Sequence[str]) -> None:
    """Imports what every rank needs, as the trainer's own."""
    trainer.preload(argv)


def main(argv: Sequence[str]) -> int:
    """Runs one rank. Returns its exit code."""
    preload(argv)
    from regress.testing.crash import die_at_step

    flags.FLAGS.unparse_flags()
    flags.FLAGS([sys.argv[0], *argv])
    rank = instrumentation.rank()
    folder = pathlib.Path(_PHASE_MARKERS.value)
    if _DIE_IN.value:
        die_at = dict(one.split(":") for one in _DIE_AT.value)
        die_at_step.install(
            die_at.get(str(rank), ""),
            _DIE_IN.value,
            folder / f"rank_{rank}.steps",
        )
    if _PHASE_MARKERS.value:
        marker = phase_marker_lib.PhaseMarker(folder / f"rank_{rank}")
        marker.set("start")
        (folder / f"rank_{rank}.pid").write_text(str(os.getpid()))
        _mark_phases(marker)
    return trainer.main(argv)


def _mark_phases(marker: phase_marker_lib.PhaseMarker) -> None:
    for module, name, phase in _PHASES:
        instrumentation.replaced(
            module, name, functools.partial(_marked, marker, phase)
        )()
    paths: dict[int, pathlib.Path] = {}
    for name in _DISK:
        original = getattr(disk.Disk, name)
        setattr(disk.Disk, name, _marked_disk(marker, name, original, paths))


def _marked(
    marker: phase_marker_lib.PhaseMarker,
    phase: str,
    original: Callable[..., Any],
) -> Callable[..., Any]:
    @functools.wraps(original)
    def there(*args: Any, **kwargs: Any) -> Any:
        with marker.at(phase):
            return original(*args, **kwargs)

    return there


def _marked_disk(
    marker: phase_marker_lib.PhaseMarker,
    name: str,
    original: Callable[..., Any],
    paths: dict[int, pathlib.Path],
) -> Callable[..., Any]:
    def there(self: disk.Disk, subject: Any, *rest: Any) -> Any:
        path = paths.get(subject, subject)
        with marker.at(f"save: {name} {_kind(path)}"):
            result = original(self, subject, *rest)
        if name == "create":
            paths[result] = path
        return result

    return there


def _kind(path: pathlib.Path) -> str:
    """What a path is, the same for all ranks and iterations."""
    name = path.name.removesuffix(layout.ASIDE)
    if name == layout.MANIFEST:
        return "the manifest"
    if name == layout.TRACKER:
        return "the tracker"
    if name == pathlib.PurePath(layout.rank_file(0)).name:
        return "a rank's file"
    if name.startswith("mp_rank"):
        return "a rank's folder"
    return "a folder"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
