"""The trainer, with the fault in its resume that REGRESS_TEST_FAULT names."""

import os
from collections.abc import Sequence
from typing import Any

from regress.trainer import main as trainer


def preload(argv: Sequence[str]) -> None:
    trainer.preload(argv)


def main(argv: Sequence[str]) -> int:
    preload(argv)
    _FAULTS[os.environ["REGRESS_TEST_FAULT"]]()
    return trainer.main(argv)


def _weights_not_loaded() -> None:
    from megatron.core.models.gpt import GPTModel

    def load_nothing(self: Any, *args: Any, **kwargs: Any) -> None:
        del self, args, kwargs

    GPTModel.load_state_dict = load_nothing


def _wrong_step() -> None:
    from regress.trainer import checkpoint

    load = checkpoint.Checkpoints.load

    def load_one_too_far(self: Any, iteration: int, state: Any) -> Any:
        event = load(self, iteration, state)
        state.iteration += 1
        return event

    checkpoint.Checkpoints.load = load_one_too_far  # type: ignore[method-assign]


def _restart() -> None:
    from regress.trainer import checkpoint

    checkpoint.Checkpoints.newest = lambda self: None  # type: ignore[method-assign]


_FAULTS = {
    "restart": _restart,
    "weights_not_loaded": _weights_not_loaded,
    "wrong_step": _wrong_step,
}
