"""Checkpoints that do not hold what they should, or are damaged on the disk."""

import importlib
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

from regress.testing.client_faults import checkpoint, injection
from regress.testing.client_faults import fault as fault_lib

_Checkpoint = checkpoint.Checkpoint

_SAVED_AT = 16


def _round_weights(saved: _Checkpoint) -> None:
    saved.weights = {
        name: one.bfloat16().float() for name, one in saved.weights.items()
    }


def _empty_second_moments(saved: _Checkpoint) -> None:
    for one in saved.moments:
        one["exp_avg_sq"] = one["exp_avg_sq"] * 0


def _of_first_save(
    take: Callable[[_Checkpoint], Any],
    put: Callable[[_Checkpoint, Any], None],
) -> injection.Install:
    """Has each save of a process hold a part of that process's first one."""
    first: list[Any] = []

    def change(saved: _Checkpoint) -> None:
        if not first:
            first.append(take(saved))
        put(saved, first[0])

    return injection.saved(change)


def _cloned(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _cloned(one) for key, one in state.items()}
    if isinstance(state, list):
        return [_cloned(one) for one in state]
    return state.clone() if hasattr(state, "clone") else state


def _put_weights(saved: _Checkpoint, weights: Any) -> None:
    saved.weights = weights


def _put_moments(saved: _Checkpoint, state: Any) -> None:
    saved.optimizer["state"] = state


def _put_streams(saved: _Checkpoint, streams: Any) -> None:
    saved.streams[:] = streams


def _put_all(saved: _Checkpoint, state: Any) -> None:
    saved.state.clear()
    saved.state.update(state)


def _newest(job: pathlib.Path) -> pathlib.Path:
    """Returns the checkpoint that the resume takes."""
    (path,) = (*job.glob("ckpt.pt"), *job.glob("last.ckpt"))
    return path


def _truncate(job: pathlib.Path) -> None:
    path = _newest(job)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip_bit(job: pathlib.Path) -> None:
    """Flips a bit of the first moment of the first weight."""
    # No client's process gets here.
    torch: Any = importlib.import_module("torch")
    path = _newest(job)
    saved = checkpoint.Checkpoint(torch.load(path, weights_only=False))
    moment = saved.moments[0]["exp_avg"]
    content = bytearray(path.read_bytes())
    start = content.index(moment.view(torch.uint8).numpy().tobytes())
    # A bit in the middle of the mantissa, which no later rounding loses.
    content[start + 101] ^= 1 << 4
    path.write_bytes(content)


def _delete(job: pathlib.Path) -> None:
    for path in job.iterdir():
        path.unlink()


def _take_older(job: pathlib.Path) -> None:
    (older,) = job.glob(f"*step={_SAVED_AT // 2}.ckpt")
    shutil.copyfile(older, _newest(job))


def _lose_optimizer(saved: _Checkpoint) -> None:
    saved.state.pop("optimizer", None)
    saved.state.pop("optimizer_states", None)


FAULTS = (
    fault_lib.Fault(
        "rank_file_truncated",
        "The second half of the file is missing.",
        disk=_truncate,
    ),
    fault_lib.Fault(
        "rank_file_bit_flip",
        "A bit of a first moment is flipped in the file.",
        disk=_flip_bit,
    ),
    fault_lib.Fault(
        "only_copy_deleted",
        "There is no checkpoint any more.",
        disk=_delete,
    ),
    fault_lib.Fault(
        "tracker_behind",
        "The checkpoint before the newest one is taken for the newest.",
        disk=_take_older,
        cannot={fault_lib.TORCHRUN: "It keeps one checkpoint."},
    ),
    fault_lib.Fault(
        "rank_file_lacks_a_key",
        "The file has no state of the optimizer.",
        install=injection.loaded(_lose_optimizer),
    ),
    fault_lib.Fault(
        "position_not_saved",
        "Saves lack the position in the data.",
        install=injection.saved(_Checkpoint.forget_position),
        in_all_launches=True,
    ),
    fault_lib.Fault(
        "main_params_saved_rounded",
        "Saves have weights that are rounded to bfloat16.",
        install=injection.saved(_round_weights),
        in_all_launches=True,
    ),
    fault_lib.Fault(
        "second_save_holds_first_tensors",
        "The second save has the weights of the first.",
        install=_of_first_save(
            lambda saved: _cloned(saved.weights), _put_weights
        ),
        in_all_launches=True,
    ),
    fault_lib.Fault(
        "streams_of_first_save",
        "The second save has the random streams of the first.",
        install=_of_first_save(
            lambda saved: _cloned(saved.streams), _put_streams
        ),
        in_all_launches=True,
    ),
    fault_lib.Fault(
        "second_save_is_the_first",
        "The second save is the first one again.",
        install=_of_first_save(lambda saved: _cloned(saved.state), _put_all),
        in_all_launches=True,
    ),
    fault_lib.Fault(
        "schedule_counted_from_the_load",
        "What the resume saves counts updates from the load.",
        install=injection.saved(lambda one: one.count_updates(-_SAVED_AT)),
    ),
)
