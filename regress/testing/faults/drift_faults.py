"""Noise and drift: numbers that are wrong without a resume."""

import os
from typing import Any

import torch

from regress.golden import golden_pb2
from regress.testing import instrumentation
from regress.testing.faults import fault

_LAST = 3


def _disturb(at: int) -> instrumentation.ChangeStep:
    """Adds noise to a weight before one step."""

    def change(state: Any, iteration: int) -> None:
        if iteration == at:
            generator = torch.Generator()
            generator.manual_seed(int.from_bytes(os.urandom(7), "big"))
            weight = next(state.models()[0].parameters()).data
            weight += torch.randn(weight.shape, generator=generator).to(weight)

    return instrumentation.on_rank(1, change)


def _change_epsilon(state: Any) -> None:
    for group in state.optimizer.param_groups:
        group["eps"] = 1e-6


def _one_digit_off(golden: golden_pb2.Golden) -> None:
    (loss,) = (one for one in golden.series if one.metric == "lm loss")
    loss.values[2] += 2**-20


FAULTS = (
    fault.Fault(
        "nondeterministic_step",
        "Megatron-LM #2369, #5801",
        "Step 3 adds noise to a weight, different each time.",
        fault.Injection(
            trainer=instrumentation.before_step(_disturb(3)),
            faulty_attempts=(0, 1),
        ),
        fault.Expected(
            "NONDETERMINISM",
            "lm loss",
            attempt=0,
            ranks=(_LAST,),
            iteration=3,
        ),
    ),
    fault.Fault(
        "nondeterministic_step_after_resume",
        "Megatron-LM #2369, #5801",
        "Step 8, which attempt 0 never reaches, adds noise to a weight.",
        fault.Injection(
            trainer=instrumentation.before_step(_disturb(8)),
            faulty_attempts=(0, 1),
        ),
        fault.Expected(
            "NONDETERMINISM",
            "lm loss",
            ranks=(_LAST,),
            iteration=8,
        ),
    ),
    fault.Fault(
        "numeric_drift_epsilon",
        "thought of",
        "Both attempts train with an epsilon that is not the golden's.",
        fault.Injection(
            trainer=instrumentation.after_build(_change_epsilon),
            faulty_attempts=(0, 1),
        ),
        # The first learning rate of the warm-up is 0, so iteration 1 agrees.
        fault.Expected(
            "NUMERIC_DRIFT",
            "params norm",
            attempt=0,
            ranks=(0,),
            iteration=2,
            summary="reproducible|deterministic",
        ),
    ),
    fault.Fault(
        "golden_one_digit_off",
        "thought of",
        "One value of the golden is from other code.",
        fault.Injection(golden=_one_digit_off),
        fault.Expected(
            "NUMERIC_DRIFT",
            "lm loss",
            attempt=0,
            ranks=(_LAST,),
            iteration=3,
            summary="reproducible|deterministic",
        ),
    ),
)

IMPOSSIBLE: tuple[fault.Impossible, ...] = ()
