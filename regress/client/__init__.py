"""A training program tells the supervisor what it does, in a few calls.

    from regress import client

    client.join()
    if checkpoint.exists():
        state = torch.load(checkpoint)
        client.loaded(state["iteration"], state)
    for iteration in range(first, last + 1):
        ...
        client.step(iteration, loss=loss, grad_norm=norm)
        if iteration % 10 == 0:
            client.saved(iteration, state)
            torch.save(state, checkpoint)
    client.finished()

Each rank calls them, for itself. Without a supervisor each does nothing, and
costs nothing. There are no dependencies: this folder can be copied to wherever
the program finds its imports, as `regress/client`. docs/trainers.md says more.
"""

import os
from typing import Any

from regress.client import channel, observer


def join() -> bool:
    """Says that this program itself tells when a step is over.

    Call it before all else. Otherwise steps, saves and loads are observed.

    Returns:
        Whether there is a supervisor that listens.
    """
    if not _is_supervised():
        return False
    observer.OBSERVER.by_hand = True
    return observer.OBSERVER.listened_to


def loaded(iteration: int, state: Any, path: str = "") -> None:
    """Says what was loaded.

    Args:
        iteration: The iteration of the checkpoint; the next step is the one
            after it.
        state: What was loaded, in nested dictionaries and lists: tensors,
            arrays, numbers, texts. Only a digest of each is kept.
        path: Where it came from, for readers.
    """
    if _is_supervised():
        observer.OBSERVER.load(path, state, iteration)


def saved(iteration: int, state: Any, path: str = "") -> None:
    """Says what is about to be saved; the arguments are those of `loaded`."""
    if _is_supervised():
        observer.OBSERVER.save(path, state, iteration)


def step(iteration: int, **metrics: Any) -> None:
    """Says that an iteration is complete.

    Args:
        iteration: The iteration, counted from 1.
        **metrics: Numbers, or texts such as a digest of the batch. They are
            compared to the last bit with those of the run that nobody
            interrupts. A tensor has one element, and is waited for.
    """
    if _is_supervised():
        observer.OBSERVER.end_step(iteration, metrics)


def phase(name: str) -> None:
    """Says that the current iteration is in a phase, and may end there.

    Hooks say it themselves of programs that use torch.

    Args:
        name: FORWARD, BACKWARD, OPTIMIZER_STEP, CHECKPOINT_WRITE (of the
            iteration that was completed last) or BETWEEN_STEPS.
    """
    if _is_supervised():
        observer.OBSERVER.hold(name)


def finished() -> None:
    """Says that there is nothing left to train."""
    if _is_supervised():
        observer.OBSERVER.finish()


def _is_supervised() -> bool:
    return channel.FOLDER in os.environ
