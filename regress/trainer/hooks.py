"""Hooks: functions of the trainer that a surrounding program can wrap.

A decorator attaches a function of the trainer to a hook:

    @hooks.BUILD_DATASET
    def build_dataset(...): ...

A program that starts the trainer, for example to time it or to inject a fault,
wraps the function in every rank's process:

    hooks.BUILD_DATASET.wrap(lambda build_dataset: timed(build_dataset))

The trainer itself wraps nothing. This module imports nothing of the trainer,
so hooks can be used without it, and before torch is imported.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Takes the hooked function and returns its replacement.
Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]


class Hook:
    """One hook.

    Attributes:
        name: What the hooked function does, for people to read.
    """

    def __init__(self, name: str) -> None:
        """Makes a hook that no function is attached to yet."""
        self.name = name
        self._wrappers: list[Wrapper] = []
        self._current: Callable[..., Any] | None = None

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Attaches a function or method to the hook. Used as a decorator."""
        assert self._current is None, f"Two functions {self.name}."
        self._current = functools.reduce(
            lambda wrapped, wrapper: wrapper(wrapped), self._wrappers, function
        )

        @functools.wraps(function)
        def current(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            assert self._current is not None
            result: _R = self._current(*args, **kwargs)
            return result

        return current

    def wrap(self, wrapper: Wrapper) -> None:
        """Wraps the function, outside of all wrappers added before."""
        self._wrappers.append(wrapper)
        if self._current is not None:
            self._current = wrapper(self._current)


JOIN = Hook("join the other ranks")
CONNECT = Hook("connect to the other ranks")
DESCRIBE_ENVIRONMENT = Hook("describe the environment")
OPEN_DISK = Hook("open the disk")
BUILD_STATE = Hook("build the state")
BUILD_MODEL = Hook("build the model")
WAIT_TO_BEGIN = Hook("wait to begin")
BUILD_DATASET = Hook("build the data set")
READ_MICROBATCHES = Hook("read microbatches")
WRITE_EVENT = Hook("write an event")
DIGEST_STATE = Hook("digest the state")
TEAR_DOWN = Hook("tear down")

LOOK = Hook("look for checkpoints")
AGREE = Hook("agree on one")
READ_CHECKPOINT = Hook("read a checkpoint")
RESTORE = Hook("restore the state")
RESTORE_STREAMS = Hook("restore the random streams")
SAVE = Hook("save")
COLLECT = Hook("save: collect what the file holds")
WRITE_CHECKPOINT = Hook("save: wait or pickle")
COMMIT = Hook("save: commit")

STEP = Hook("step: communicate or backward")
FORWARD = Hook("step: forward")
LOSS = Hook("step: loss")
UPDATE = Hook("step: optimizer")
SCHEDULE = Hook("step: scheduler")
MEASURE = Hook("step: metrics")

ALL = tuple(one for one in dict(globals()).values() if isinstance(one, Hook))
