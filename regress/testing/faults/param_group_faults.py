"""Faults in the param groups, their rates, and the scheduler that sets them."""

from collections.abc import Callable
from typing import Any

from regress.case import case_pb2
from regress.golden import golden_pb2
from regress.run import run_pb2
from regress.testing import instrumentation
from regress.testing.faults import fault
from regress.trainer import hooks

_LOADED = 4


def _group(state: Any, name: str) -> dict[str, Any]:
    group: dict[str, Any] = dict(state.param_groups())[name]
    return group


def _groups(
    change: Callable[[dict[str, dict[str, Any]]], None],
) -> instrumentation.Install:
    """Changes the param groups after the load; `change` gets them by name."""

    def change_groups(saved: dict[str, Any], state: Any) -> None:
        del saved
        change(dict(state.param_groups()))

    return instrumentation.after_restore(change_groups)


def _scheduler(change: Callable[[Any], None]) -> instrumentation.Install:
    """Changes the scheduler after the load."""
    return instrumentation.after_restore(
        lambda saved, state: change(state.scheduler)
    )


_BAD_RELEASE = {"megatron-core": "0.18.2"}
_DEFAULTS = ("default", "default (no weight decay)")


# megatron-core 0.16.0 to 0.18.2 also have is_decoupled_lr, but never set it.
_KEY_WITHOUT_RATES = ("wd_mult", "lr_mult", "is_expert_parallel")


def _match_without_rates() -> instrumentation.Install:
    """Gives groups that differ only in their rates the same key on load."""
    return instrumentation.replaced(
        "megatron.core.optimizer.optimizer",
        "param_group_identifier_keys",
        lambda keys: tuple(key for key in keys if key in _KEY_WITHOUT_RATES),
    )


def _keep_params() -> instrumentation.Install:
    """Lets a group keep its params even if a load gives it another's fields."""

    def replacement(original: Any) -> Any:
        def match(current: Any, saved: Any) -> list[dict[str, Any]]:
            params = [group["params"] for group in saved]
            return [
                {**group, "params": own}
                for group, own in zip(
                    original(current, saved), params, strict=True
                )
            ]

        return staticmethod(match)

    return instrumentation.replaced(
        "megatron.core.optimizer.optimizer",
        "MegatronOptimizer._filter_and_reorder_param_groups",
        replacement,
    )


def _freeze_a_weight(original: Any) -> Any:
    def build(*args: Any) -> Any:
        chunks = original(*args)
        frozen = next(
            param for param in chunks[0].parameters() if param.ndim == 2
        )
        frozen.requires_grad = False
        return chunks

    return build


def _give_the_decoupled_rates(state: Any) -> None:
    """Sets the decoupled rates on all groups, as a command line could."""
    decoupled = _group(state, "decoupled")
    for bound in ("max_lr", "min_lr"):
        setattr(state.scheduler, bound, decoupled[bound])
        for name in _DEFAULTS:
            _group(state, name)[bound] = decoupled[bound]
    state.scheduler.step(0)


def _mark_groups(case: case_pb2.Case) -> None:
    case.optimizer.param_grouping = case_pb2.RESUMABLE


def _report_a_bad_release(record: run_pb2.RunRecord) -> None:
    """Otherwise the release would rule out Megatron-LM #4705."""
    for attempt in record.attempts:
        for rank in attempt.ranks:
            for event in rank.events:
                if event.HasField("started"):
                    event.started.environment.versions.update(_BAD_RELEASE)


def _expect_a_bad_release(golden: golden_pb2.Golden) -> None:
    golden.provenance.environment.versions.update(_BAD_RELEASE)


def _flatten(state: Any) -> None:
    scheduler = state.scheduler
    for group in state.optimizer.param_groups:
        group["max_lr"] = scheduler.max_lr
        group["min_lr"] = scheduler.min_lr
    scheduler.step(0)


def _double_max_lr(state: Any) -> None:
    state.scheduler.max_lr *= 2
    for name in _DEFAULTS:
        _group(state, name)["max_lr"] *= 2
    state.scheduler.step(0)


def _load_scheduler_twice(saved: dict[str, Any], state: Any) -> None:
    state.scheduler.load_state_dict(saved["opt_param_scheduler"])


def _drop_decoupled_bound(groups: dict[str, dict[str, Any]]) -> None:
    del groups["decoupled"]["max_lr"]


def _drop_epsilon(groups: dict[str, dict[str, Any]]) -> None:
    for group in groups.values():
        del group["eps"]


def _lose_weight_decay(groups: dict[str, dict[str, Any]]) -> None:
    groups["default"]["weight_decay"] = 0.0


def _lose_decoupled_minimum(groups: dict[str, dict[str, Any]]) -> None:
    groups["decoupled"]["min_lr"] = groups["default"]["min_lr"]


def _change_epsilon(groups: dict[str, dict[str, Any]]) -> None:
    for group in groups.values():
        group["eps"] = 1e-6


def _cache_rates(state: Any) -> None:
    """Makes the optimizer keep using the rates that were loaded."""
    adam = state.optimizer.optimizer
    cached = [group["lr"] for group in adam.param_groups]
    step = adam.step

    def step_with_cached_rates() -> None:
        reported = [group["lr"] for group in adam.param_groups]
        for group, rate in zip(adam.param_groups, cached, strict=True):
            group["lr"] = rate
        step()
        for group, rate in zip(adam.param_groups, reported, strict=True):
            group["lr"] = rate

    adam.step = step_with_cached_rates


FAULTS = (
    fault.Fault(
        "group_collision",
        "Megatron-LM #4705",
        "As in megatron-core 0.16.0 to 0.18.2, the load matches param groups "
        "by a key without their rates; the default and the decoupled group "
        "have the same key, but different numbers of params.",
        fault.Injection(trainer=_match_without_rates()),
        fault.Expected(
            "CRASH",
            "exit status",
            ranks=(0, 1, 2, 3),
            iteration=5,
            summary="while it loaded the checkpoint of iteration 4.*parameter "
            "group that doesn't match the size of optimizer's group",
        ),
    ),
    fault.Fault(
        "group_collision_silent",
        "Megatron-LM #4705",
        "The same collision in a load that continues, as the distributed "
        "optimizer's does: the default group keeps its params and takes "
        "everything else from the decoupled one.",
        fault.Injection(
            trainer=instrumentation.both(_match_without_rates(), _keep_params())
        ),
        fault.divergence(
            r"param group default/(default_config|max_lr|min_lr|lr)",
            (0,),
            _LOADED,
            r"param group \(16\) on ranks 0, 1, 2, 3",
        ),
    ),
    fault.Fault(
        "group_of_another_size",
        "dsve-loc #15",
        "A weight is frozen for the resume, so its group has fewer params than "
        "the saved one. It looks like Megatron-LM #4705, but is not.",
        fault.Injection(
            trainer=instrumentation.wrapped(
                hooks.BUILD_MODEL, _freeze_a_weight
            ),
            case=_mark_groups,
            record=_report_a_bad_release,
            golden=_expect_a_bad_release,
        ),
        fault.Expected(
            "CRASH",
            "exit status",
            ranks=(0, 1, 2, 3),
            iteration=5,
            summary="while it loaded the checkpoint of iteration 4.*parameter "
            "group that doesn't match the size of optimizer's group",
        ),
    ),
    fault.Fault(
        "rate_given_anew",
        "Megatron-LM #963 (alike)",
        "The resume is given rates for the whole model that equal the "
        "decoupled group's. It looks like Megatron-LM #4705, but is not.",
        fault.Injection(
            trainer=instrumentation.after_restore(
                lambda saved, state: _give_the_decoupled_rates(state)
            ),
            record=_report_a_bad_release,
            golden=_expect_a_bad_release,
        ),
        fault.divergence("scheduler/max_lr", (0,), _LOADED),
    ),
    fault.Fault(
        "scheduler_override_flattens_groups",
        "Megatron-LM #7173",
        "Overriding the scheduler on load gives every param group the default "
        "bounds.",
        fault.Injection(
            trainer=instrumentation.after_restore(
                lambda saved, state: _flatten(state)
            )
        ),
        fault.divergence(
            r"param group decoupled/(max_lr|min_lr|lr)", (0,), _LOADED
        ),
    ),
    fault.Fault(
        "stale_max_lr",
        "Megatron-LM #1138, #963",
        "The maximum rate is from an older configuration, the schedule from "
        "the new one.",
        fault.Injection(
            trainer=instrumentation.after_restore(
                lambda saved, state: _double_max_lr(state)
            )
        ),
        fault.divergence(
            r"(param group default/max_lr|scheduler/max_lr)", (0,), _LOADED
        ),
    ),
    fault.Fault(
        "scheduler_restarts",
        "Megatron-LM #1533",
        "The scheduler is not loaded and starts its warm-up again.",
        fault.Injection(
            trainer=instrumentation.after_build(
                lambda state: setattr(
                    state.scheduler, "load_state_dict", instrumentation.nothing
                )
            )
        ),
        fault.divergence("scheduler/num_steps", (0,), _LOADED),
    ),
    fault.Fault(
        "scheduler_steps_twice",
        "slime #1547, #1775",
        "The scheduler is advanced twice on resume.",
        fault.Injection(
            trainer=instrumentation.after_restore(_load_scheduler_twice)
        ),
        fault.divergence("scheduler/num_steps", (0,), _LOADED),
    ),
    fault.Fault(
        "scheduler_off_by_one_batch",
        "thought of",
        "The scheduler is one batch ahead.",
        fault.Injection(
            trainer=_scheduler(lambda scheduler: scheduler.step(4))
        ),
        fault.divergence("scheduler/num_steps", (0,), _LOADED),
    ),
    fault.Fault(
        "group_fields_dropped",
        "pytorch #129079, #140900",
        "The decoupled param group loses a field of its own.",
        fault.Injection(trainer=_groups(_drop_decoupled_bound)),
        fault.divergence("param group decoupled/max_lr", (0,), _LOADED),
    ),
    fault.Fault(
        "group_field_needed_dropped",
        "pytorch #129079, #140900",
        "The param groups lose a field that the optimizer needs.",
        fault.Injection(trainer=_groups(_drop_epsilon)),
        fault.Expected(
            "CRASH",
            "exit status",
            ranks=(0, 1, 2, 3),
            iteration=5,
            summary="iteration 5.*KeyError: 'eps'",
        ),
    ),
    fault.Fault(
        "cached_lr",
        "torchtitan #4598",
        "The scheduler reports one rate, but the optimizer keeps using the "
        "loaded one.",
        fault.Injection(
            trainer=instrumentation.before_first_step(_cache_rates)
        ),
        # The loaded rate is right for one step.
        fault.divergence(
            "params norm", (0,), 6, "a rate other than the reported one"
        ),
    ),
    fault.Fault(
        "weight_decay_lost",
        "thought of",
        "A param group resumes without its weight decay.",
        fault.Injection(trainer=_groups(_lose_weight_decay)),
        fault.divergence("param group default/weight_decay", (0,), _LOADED),
    ),
    fault.Fault(
        "decoupled_min_lr_lost",
        "Megatron-LM #7173 (alike)",
        "The decoupled param group takes the default minimum rate.",
        fault.Injection(trainer=_groups(_lose_decoupled_minimum)),
        fault.divergence("param group decoupled/min_lr", (0,), _LOADED),
    ),
    fault.Fault(
        "epsilon_changed",
        "thought of",
        "Adam resumes with another epsilon.",
        fault.Injection(trainer=_groups(_change_epsilon)),
        fault.divergence(r"param group default.*/eps", (0,), _LOADED),
    ),
)

IMPOSSIBLE: tuple[fault.Impossible, ...] = ()
