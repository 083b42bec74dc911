"""The trainer: the module that a launcher runs as one rank of a job.

A launcher either calls `preload` once in a process that forks the ranks and
`main` in each rank, or only `main` in a new process per rank.
"""

import faulthandler
import gc
import os
import pathlib
import sys
import time
from collections.abc import Sequence

from absl import flags

from regress import errors, terminal
from regress.case import load
from regress.checkpoint import errors as checkpoint_errors
from regress.run import control as control_lib
from regress.run import event_stream, exit_codes, packages, run_pb2
from regress.trainer import backend as backend_lib
from regress.trainer import backend_factory

_CASE = flags.DEFINE_string(
    "case", None, "Path of the case's textproto.", required=True
)
_RANK = flags.DEFINE_integer(
    "rank", -1, "This rank; by default torchrun's variable RANK."
)
_HARDWARE = flags.DEFINE_string(
    "hardware", "none", "What to train on: `none`, `any` or `nvidia_h200`, ..."
)
_CORPUS = flags.DEFINE_string(
    "corpus",
    None,
    "Path of the corpus's .bin and .idx, without suffix.",
    required=True,
)
_CHECKPOINTS = flags.DEFINE_string(
    "checkpoints", None, "Directory to resume from and save to.", required=True
)
_DATA_CACHE = flags.DEFINE_string(
    "data_cache", None, "Directory for the data set's indices.", required=True
)
_EVENTS = flags.DEFINE_string(
    "events", None, "File for the rank's events.", required=True
)
_WAIT_AT = flags.DEFINE_string(
    "wait_at", "", "Where to wait for an interruption, e.g. '30:BACKWARD'."
)
_KEEP = flags.DEFINE_integer(
    "keep", 0, "How many of the newest checkpoints to keep; 0 for all.", 0
)
_SAVE_ON_SIGTERM = flags.DEFINE_bool(
    "save_on_sigterm",
    False,
    "On SIGTERM to any rank, save after the iteration and exit with 0.",
)
_READ_BACK = flags.DEFINE_bool(
    "read_back", False, "Load and digest the newest checkpoint, and end."
)

# Errors that the run record distinguishes by exit code.
_EXIT_CODES: dict[type[errors.UserError], int] = {
    checkpoint_errors.CheckpointError: exit_codes.DAMAGED_CHECKPOINT,
    backend_lib.BackendError: exit_codes.WRONG_ENVIRONMENT,
}


def preload(argv: Sequence[str]) -> None:
    """Does the heavy imports; touches no device and no random generator."""
    known = flags.FlagValues()
    hardware = flags.DEFINE_string(
        "hardware", "none", "See the flag above.", flag_values=known
    )
    known([sys.argv[0], *argv], known_only=True)
    _import(hardware.value)


def main(argv: Sequence[str]) -> int:
    """Runs one rank. Returns its exit code.

    Args:
        argv: The flags, without the program name.
    """
    flags.FLAGS.unparse_flags()
    flags.FLAGS([sys.argv[0], *argv])
    started = time.monotonic()
    _import(_HARDWARE.value)
    imported = time.monotonic() - started
    try:
        return _train(imported)
    except errors.UserError as error:
        terminal.tell(error)
        return _EXIT_CODES.get(type(error), exit_codes.FAILURE)


def _train(imported: float) -> int:
    from regress.trainer import phase_gate
    from regress.trainer import rank as rank_lib

    backend = backend_factory.get(_HARDWARE.value)
    rank = _RANK.value if _RANK.value >= 0 else int(os.environ["RANK"])
    settings = rank_lib.Settings(
        case=load.load(pathlib.Path(_CASE.value)),
        rank=rank,
        corpus=pathlib.Path(_CORPUS.value),
        checkpoints=pathlib.Path(_CHECKPOINTS.value),
        data_cache=pathlib.Path(_DATA_CACHE.value),
        wait_at=phase_gate.WaitAt.parse(_WAIT_AT.value)
        if _WAIT_AT.value
        else None,
        keep=_KEEP.value,
        stop_request=phase_gate.StopRequest()
        if _SAVE_ON_SIGTERM.value
        else None,
        read_back=_READ_BACK.value,
    )
    with event_stream.Writer(pathlib.Path(_EVENTS.value)) as events:
        events.write(
            run_pb2.Event(span=run_pb2.Span(name="import", seconds=imported))
        )
        control = control_lib.Control.from_environment()
        try:
            rank_lib.Rank(settings, backend, events, control).run()
        except RuntimeError as error:
            reason = backend.out_of_memory(error)
            if reason is None:
                raise
            raise backend_lib.BackendError(reason) from error
        except backend_lib.BackendError as error:
            if error.hardware_found:
                found = run_pb2.HardwareFound(hardware=error.hardware_found)
                events.write(run_pb2.Event(hardware_found=found))
            raise
    return 0


def _import(hardware: str) -> None:
    if "regress.trainer.rank" in sys.modules:
        return
    # What crashes in a library says where, in the rank's log.
    faulthandler.enable()
    # The garbage collector would repeatedly scan half a million objects, for a
    # quarter of the import time, and free nothing.
    gc.disable()
    backend_factory.get(hardware).prepare()
    # This imports torch and megatron-core, which need the prepared backend.
    import regress.trainer.rank  # noqa: F401
    from regress.trainer import observed_settings

    # Each rank reports what these find, and they find it once a process: here,
    # for all forks.
    packages.versions()
    observed_settings.openblas_libraries()

    # Never scan these objects later either: scanning would also unshare the
    # pages that a rank shares with its zygote.
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
