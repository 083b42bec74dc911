"""Weights, moments, rates and schedules that a resume does not get as saved."""

from collections.abc import Callable, Sequence
from typing import Any

from regress.testing.client_faults import checkpoint, injection
from regress.testing.client_faults import fault as fault_lib

_Checkpoint = checkpoint.Checkpoint

# The iterations before the resume, and so the updates of the schedule.
_SAVED_AT = 16

# That of the torchrun client's optimizer.
_RATE = 3e-3


def _rounded(tensor: Any) -> Any:
    return tensor.bfloat16().float()


def _round_weights(saved: _Checkpoint) -> None:
    saved.weights = {name: _rounded(one) for name, one in saved.weights.items()}


def _matrix(saved: _Checkpoint) -> Any:
    """Returns the last weight that has two dimensions."""
    return [one for one in saved.weights.values() if one.ndim == 2][-1]


def _flip_bit(saved: _Checkpoint) -> None:
    bits = _matrix(saved).numpy().view("int32")
    # The last bit of the mantissa.
    bits[0, 0] ^= 1


def _swap_alike(saved: _Checkpoint) -> None:
    """Swaps the first two matrices of one shape."""
    weights = saved.weights
    matrices = [one for one in weights.values() if one.ndim == 2]
    one, other = _two_alike(matrices, lambda tensor: tensor)
    kept = one.clone()
    one.copy_(other)
    other.copy_(kept)


def _two_alike(
    items: Sequence[Any], tensor: Callable[[Any], Any]
) -> tuple[Any, Any]:
    """Returns the first two items whose tensors have the same shape."""
    return next(
        (one, other)
        for at, one in enumerate(items)
        for other in items[at + 1 :]
        if tensor(one).shape == tensor(other).shape
    )


def _load_all_but_one(
    plain: Any, module: Any, state: Any, *args: Any, **named: Any
) -> Any:
    """Loads no last weight, and does not mind."""
    del args, named
    part = dict(list(state.items())[:-1])
    return plain(module, part, strict=False)


def _change_moments(
    change: Callable[[dict[str, Any]], None],
) -> injection.Change:
    def of_all(saved: _Checkpoint) -> None:
        for one in saved.moments:
            change(one)

    return of_all


def _clear(name: str) -> injection.Change:
    return _change_moments(lambda one: one[name].zero_())


def _round_moments(one: dict[str, Any]) -> None:
    for name in ("exp_avg", "exp_avg_sq"):
        one[name] = _rounded(one[name])


def _swap_moments(one: dict[str, Any]) -> None:
    one["exp_avg"], one["exp_avg_sq"] = one["exp_avg_sq"], one["exp_avg"].abs()


def _flip_sign(saved: _Checkpoint) -> None:
    saved.moments[0]["exp_avg"].neg_()


def _permute(saved: _Checkpoint) -> None:
    one, other = _two_alike(
        [one for one in saved.moments if one["exp_avg"].ndim == 2],
        lambda moments: moments["exp_avg"],
    )
    kept = dict(one)
    one.update(other)
    other.update(kept)


def _set(name: str, value: Any) -> injection.Change:
    return lambda saved: saved.group.update({name: value})


def _give_first_rate(saved: _Checkpoint) -> None:
    saved.group["lr"] = saved.group.get("initial_lr", _RATE)


def _drop_betas(saved: _Checkpoint) -> None:
    del saved.group["betas"]


def _step_twice(plain: Any, scheduler: Any, *args: Any, **named: Any) -> None:
    plain(scheduler, *args, **named)
    plain(scheduler, *args, **named)


_NO_TWO_ALIKE = "No two of its matrices have the same shape."

FAULTS = (
    fault_lib.Fault(
        "weights_not_loaded",
        "Weights stay as they were initialized.",
        install=injection.replaced(
            "nn.Module", "load_state_dict", injection.nothing
        ),
    ),
    fault_lib.Fault(
        "load_not_strict",
        "One tensor is not loaded, and nobody minds.",
        install=injection.replaced(
            "nn.Module", "load_state_dict", _load_all_but_one
        ),
    ),
    fault_lib.Fault(
        "stages_swapped",
        "Two matrices of one shape get each other's weights.",
        install=injection.loaded(_swap_alike),
        cannot={fault_lib.LIGHTNING: _NO_TWO_ALIKE},
    ),
    fault_lib.Fault(
        "main_params_from_bf16",
        "Weights are rounded to bfloat16.",
        install=injection.loaded(_round_weights),
    ),
    fault_lib.Fault(
        "weight_bit_flipped",
        "The last bit of one weight is flipped.",
        install=injection.loaded(_flip_bit),
    ),
    fault_lib.Fault(
        "data_parallel_replicas_differ",
        "Rank 1 loads rounded weights.",
        install=injection.loaded(_round_weights, ranks=(1,)),
        harmless={
            fault_lib.LIGHTNING: "It sends rank 0's weights to all ranks after "
            "the load.",
        },
    ),
    fault_lib.Fault(
        "optimizer_not_loaded",
        "The optimizer begins anew.",
        install=injection.replaced(
            "optim.Optimizer", "load_state_dict", injection.nothing
        ),
    ),
    fault_lib.Fault(
        "first_moment_lost",
        "First moments are 0.",
        install=injection.loaded(_clear("exp_avg")),
    ),
    fault_lib.Fault(
        "first_moment_lost_on_rank_1",
        "First moments are 0 on rank 1.",
        install=injection.loaded(_clear("exp_avg"), ranks=(1,)),
    ),
    fault_lib.Fault(
        "second_moment_lost",
        "Second moments are 0.",
        install=injection.loaded(_clear("exp_avg_sq")),
    ),
    fault_lib.Fault(
        "adam_step_lost",
        "The optimizer counts its steps from 0.",
        install=injection.loaded(_clear("step")),
    ),
    fault_lib.Fault(
        "moment_sign_flipped",
        "The first moment of one weight has the wrong sign.",
        install=injection.loaded(_flip_sign),
    ),
    fault_lib.Fault(
        "moments_rounded",
        "Moments are rounded to bfloat16.",
        install=injection.loaded(_change_moments(_round_moments)),
    ),
    fault_lib.Fault(
        "moments_swapped",
        "First and second moments take each other's place.",
        install=injection.loaded(_change_moments(_swap_moments)),
    ),
    fault_lib.Fault(
        "param_order_permuted",
        "Two matrices of one shape get each other's moments.",
        install=injection.loaded(_permute),
        cannot={fault_lib.LIGHTNING: _NO_TWO_ALIKE},
    ),
    fault_lib.Fault(
        "beta2_changed",
        "The second beta is 0.99.",
        install=injection.loaded(_set("betas", (0.9, 0.99))),
    ),
    fault_lib.Fault(
        "weight_decay_lost",
        "The weight decay is 0.",
        install=injection.loaded(_set("weight_decay", 0.0)),
    ),
    fault_lib.Fault(
        "rate_given_anew",
        "The param group has the rate of the beginning.",
        install=injection.loaded(_give_first_rate),
        harmless={
            fault_lib.TORCHRUN: "It sets the rate before each step.",
        },
    ),
    fault_lib.Fault(
        "group_field_needed_dropped",
        "The param group comes without its betas.",
        install=injection.loaded(_drop_betas),
    ),
    fault_lib.Fault(
        "scheduler_restarts",
        "The schedule of the rates begins anew.",
        install=injection.loaded(lambda one: one.count_updates(-_SAVED_AT)),
    ),
    fault_lib.Fault(
        "scheduler_off_by_one_batch",
        "The schedule of the rates is an update behind.",
        install=injection.loaded(lambda one: one.count_updates(-1)),
    ),
    fault_lib.Fault(
        "scheduler_steps_twice",
        "The scheduler steps twice an update.",
        install=injection.replaced(
            "optim.lr_scheduler.LRScheduler", "step", _step_twice
        ),
        cannot={
            fault_lib.TORCHRUN: "It computes rates itself, from a count.",
        },
    ),
)
