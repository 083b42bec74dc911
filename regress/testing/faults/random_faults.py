"""Faults in the random streams that a resumed rank draws from."""

import random
from collections.abc import Callable
from typing import Any

import numpy
import torch

from regress.testing import instrumentation
from regress.testing.faults import fault, rank_files
from regress.trainer import hooks

_LOADED = 4
_CHANGED = "was changed before the first step"
_TRACKER = "rng_tracker_states"


def _keep_tracker(original: Any) -> Any:
    def set_states(states: dict[str, Any]) -> None:
        from regress.trainer import training_state

        now = training_state.get_streams()
        original({**states, _TRACKER: now[_TRACKER]})

    return set_states


def _set_states(wrapper: hooks.Wrapper) -> instrumentation.Install:
    return instrumentation.wrapped(hooks.RESTORE_STREAMS, wrapper)


def _take_streams(saved: dict[str, Any], other: dict[str, Any]) -> None:
    saved["rng_state"] = other["rng_state"]


def _after_load_on(
    rank: int, change: Callable[[], object]
) -> instrumentation.Install:
    def change_streams(saved: dict[str, Any], state: Any) -> None:
        del saved, state
        change()

    return instrumentation.after_restore(
        instrumentation.on_rank(rank, change_streams)
    )


def _draw(state: Any) -> None:
    del state
    torch.rand(1)


def _seed_again(state: Any) -> None:
    del state
    from regress.trainer import training_state

    training_state.seed_streams(4321)


def _switch_dropout_off(state: Any) -> None:
    for chunk in state.chunks:
        chunk.eval()


FAULTS = (
    fault.Fault(
        "rng_not_restored",
        "Megatron-Bridge #4893",
        "The random streams of the checkpoint are ignored.",
        fault.Injection(
            trainer=_set_states(lambda original: instrumentation.nothing)
        ),
        fault.divergence(r"rng/.*", (0,), _LOADED, r"rng \(\d+\)"),
    ),
    fault.Fault(
        "rng_of_rank_0",
        "Automodel #3437, Megatron-LM #6858",
        "Every rank gets the streams that rank 0 saved.",
        fault.Injection(
            disk=rank_files.several(
                *(
                    rank_files.mix(rank, _LOADED, _take_streams, other_rank=0)
                    for rank in (1, 2, 3)
                )
            )
        ),
        fault.divergence(
            r"rng/.*",
            (1,),
            _LOADED,
            "what ranks 1, 2, 3 loaded is what rank 0 saved",
        ),
    ),
    fault.Fault(
        "rng_of_older_iteration",
        "thought of",
        "The streams of rank 1 are from the previous save.",
        fault.Injection(
            disk=rank_files.mix(1, _LOADED, _take_streams, other_iteration=2)
        ),
        fault.divergence(r"rng/.*", (1,), _LOADED, "of iteration 2"),
    ),
    fault.Fault(
        "tracker_not_restored",
        "read",
        "The default stream is restored, but not the model-parallel stream.",
        fault.Injection(trainer=_set_states(_keep_tracker)),
        fault.divergence(
            "rng/rng_tracker_states/model-parallel-rng", (0,), _LOADED
        ),
    ),
    fault.Fault(
        "numpy_stream_lost",
        "thought of",
        "Rank 2 loses its numpy stream, which training does not draw from yet.",
        fault.Injection(
            trainer=_after_load_on(2, lambda: numpy.random.seed(0))
        ),
        fault.divergence("rng/np_rng_state", (2,), _LOADED),
    ),
    fault.Fault(
        "python_stream_lost",
        "thought of",
        "Rank 3 loses Python's stream, which training does not draw from yet.",
        fault.Injection(trainer=_after_load_on(3, lambda: random.seed(0))),
        fault.divergence("rng/random_rng_state", (3,), _LOADED),
    ),
    fault.Fault(
        "extra_draw_after_load",
        "thought of",
        "Rank 2 draws one number between the load and its first step.",
        fault.Injection(
            trainer=instrumentation.before_first_step(
                instrumentation.on_rank(2, _draw)
            )
        ),
        fault.divergence(r"rng/.*", (2,), _LOADED, _CHANGED),
    ),
    fault.Fault(
        "reseeded_after_load",
        "thought of",
        "The streams are seeded again after the load, with another seed.",
        fault.Injection(trainer=instrumentation.before_first_step(_seed_again)),
        fault.divergence(r"rng/.*", (0,), _LOADED, _CHANGED),
    ),
    fault.Fault(
        "dropout_off",
        "thought of",
        "The model resumes in evaluation mode, without dropout.",
        fault.Injection(
            trainer=instrumentation.before_first_step(_switch_dropout_off)
        ),
        fault.divergence("lm loss", (3,), 5, "forward pass"),
    ),
)

IMPOSSIBLE: tuple[fault.Impossible, ...] = ()
