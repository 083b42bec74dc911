"""Where faults take hold of the trainer, without a line of it being changed.

Each function returns what puts the hook in place, to be called in the process
of a rank before it trains. The process ends with the rank, so no hook is ever
taken back.

What a hook replaces is imported when it is put in place: the catalogue is also
read where nothing is trained.
"""

import functools
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from absl import flags

if TYPE_CHECKING:
    from regress.trainer import training_state

Install = Callable[[], None]
Change = Callable[["training_state.TrainingState"], None]
# What the rank's checkpoint file holds, and the state to restore from it.
ChangeSaved = Callable[[dict[str, Any], "training_state.TrainingState"], None]
# The iteration that is about to run comes second.
ChangeStep = Callable[["training_state.TrainingState", int], None]


def rank() -> int:
    """This process's rank."""
    number: int = flags.FLAGS.rank
    return number


def on_rank(number: int, change: Callable[..., None]) -> Callable[..., None]:
    """Returns `change` that happens on one rank only."""

    @functools.wraps(change)
    def only_there(*args: Any) -> None:
        if rank() == number:
            change(*args)

    return only_there


def nothing(*args: Any, **kwargs: Any) -> None:
    """In place of a function that should have done something."""
    del args, kwargs


def replaced(
    module: str, name: str, replacement: Callable[[Any], Any]
) -> Install:
    """Replaces a function.

    Args:
      module: its module.
      name: its name there; a method's with its class, as "Rank.run".
      replacement: called with the function; returns what takes its place.
    """

    def install() -> None:
        owner: Any = importlib.import_module(module)
        *owners, last = name.split(".")
        for one in owners:
            owner = getattr(owner, one)
        setattr(owner, last, replacement(getattr(owner, last)))

    return install


def both(*installs: Install) -> Install:
    """Returns what puts several hooks in place."""

    def install() -> None:
        for one in installs:
            one()

    return install


def after_build(change: Change) -> Install:
    """Changes the state when it is built, before anything is loaded."""

    def replacement(original: Any) -> Any:
        def build(*args: Any) -> Any:
            state = original(*args)
            change(state)
            return state

        return build

    return replaced("regress.trainer.training_state", "build", replacement)


def before_restore(change: ChangeSaved) -> Install:
    """Changes what was read from the checkpoint, before it is restored."""

    def replacement(original: Any) -> Any:
        def restore(saved: dict[str, Any], state: Any) -> None:
            change(saved, state)
            original(saved, state)

        return restore

    return replaced("regress.trainer.checkpoint", "_restore", replacement)


def after_restore(change: ChangeSaved) -> Install:
    """Changes the restored state, before it is recorded as loaded."""

    def replacement(original: Any) -> Any:
        def restore(saved: dict[str, Any], state: Any) -> None:
            original(saved, state)
            change(saved, state)

        return restore

    return replaced("regress.trainer.checkpoint", "_restore", replacement)


def before_step(change: ChangeStep) -> Install:
    """Does something before each step, so after the load was recorded."""

    def replacement(original: Any) -> Any:
        def run(stepper: Any) -> Any:
            state = stepper._state
            change(state, state.iteration + 1)
            return original(stepper)

        return run

    return replaced("regress.trainer.step", "Stepper.run", replacement)


def before_first_step(change: Change) -> Install:
    """Does something once, after the load was recorded."""
    seen: list[int] = []

    def change_once(
        state: "training_state.TrainingState", iteration: int
    ) -> None:
        if not seen:
            seen.append(iteration)
            change(state)

    return before_step(change_once)
