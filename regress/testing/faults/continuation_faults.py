"""Faults in which what is saved is not what training goes on with.

The file holds what was digested, and the load restores it. The run that goes on
and the run that resumes begin the next step with different states all the same.
"""

from collections.abc import Callable
from typing import Any

import torch

from regress.golden import golden_pb2
from regress.golden import state as golden_state
from regress.run import run_pb2
from regress.testing import instrumentation
from regress.testing.faults import fault
from regress.trainer import hooks

_FIRST_SAVE = 2
_SUMMARY = "what was saved is not what training went on with"


def _schedule_after_save() -> instrumentation.Install:
    """Lets the scheduler step as the next step begins."""
    due: list[Callable[[], None]] = []

    def schedule(original: Any) -> Any:
        def schedule_later(stepper: Any, samples: int) -> None:
            due.append(lambda: original(stepper, samples))

        return schedule_later

    def step(original: Any) -> Any:
        def run(stepper: Any) -> Any:
            while due:
                due.pop()()
            return original(stepper)

        return run

    return instrumentation.both(
        instrumentation.wrapped(hooks.SCHEDULE, schedule),
        instrumentation.wrapped(hooks.STEP, step),
    )


def _save_averages() -> instrumentation.Install:
    """Puts the weights' running averages in their place during each save."""
    averages: list[torch.Tensor] = []

    def weights(state: Any) -> list[torch.Tensor]:
        return [
            param.data
            for chunk in state.models()
            for param in chunk.parameters()
        ]

    def step(original: Any) -> Any:
        def run(stepper: Any) -> Any:
            if not averages:
                averages.extend(one.clone() for one in weights(stepper.state))
            metrics = original(stepper)
            torch._foreach_lerp_(averages, weights(stepper.state), 0.5)
            return metrics

        return run

    def save(original: Any) -> Any:
        def save_averages(rank: Any, state: Any) -> None:
            own = [one.clone() for one in weights(state)]
            torch._foreach_copy_(weights(state), averages)
            original(rank, state)
            torch._foreach_copy_(weights(state), own)

        return save_averages

    return instrumentation.both(
        instrumentation.wrapped(hooks.STEP, step),
        instrumentation.wrapped(hooks.SAVE, save),
    )


def _in_every_attempt(
    name: str, what: str, change: instrumentation.Install, subject: str
) -> fault.Fault:
    """Makes a fault of the trainer that the golden was recorded with, too."""
    saved: dict[tuple[int, int], str] = {}

    def remember(record: run_pb2.RunRecord) -> None:
        for rank in record.attempts[0].ranks:
            for event in rank.events:
                if event.state.moment == run_pb2.StateDigest.SAVED:
                    place = event.state.iteration, rank.rank
                    saved[place] = golden_state.fold(event.state)

    def record_golden(golden: golden_pb2.Golden) -> None:
        for checkpoint in golden.checkpoints:
            for rank, digest in enumerate(checkpoint.digests):
                place = checkpoint.iteration, rank
                checkpoint.digests[rank] = saved.get(place, digest)

    return fault.Fault(
        name,
        "thought of",
        what,
        fault.Injection(
            trainer=change,
            faulty_attempts=(0, 1),
            record=remember,
            golden=record_golden,
        ),
        fault.Expected(
            "RESUME_DIVERGENCE",
            subject,
            attempt=0,
            ranks=(0,),
            iteration=_FIRST_SAVE,
            summary=_SUMMARY,
        ),
    )


FAULTS = (
    _in_every_attempt(
        "saved_before_scheduler_step",
        "A checkpoint is saved before the scheduler's step of its iteration.",
        _schedule_after_save(),
        "scheduler/num_steps",
    ),
    _in_every_attempt(
        "averages_in_place_while_saving",
        "The weights' running averages are in their place while a checkpoint "
        "is saved, and the weights themselves come back after it.",
        _save_averages(),
        r"chunk 0/param/.*",
    ),
)

IMPOSSIBLE: tuple[fault.Impossible, ...] = ()
