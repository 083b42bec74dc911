"""Training that is out of the ordinary, and no fault.

Each kind is what some users train. It is so from the first attempt on, and a
resume of it is a resume like any other.
"""

from collections.abc import Callable
from typing import Any

import torch

from regress.testing import instrumentation
from regress.trainer import hooks


class _Statistics(torch.nn.Module):
    """Counts the forward passes of a chunk, and remembers them in all ways.

    Attributes:
        passes: A buffer that is saved.
        scratch: A buffer that is not saved, and starts over in each process.
        extra: Saved as `_extra_state`.
    """

    passes: torch.Tensor
    scratch: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(2, dtype=torch.int64))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)
        self.extra = {"history": [0]}

    def count(self, *unused: object) -> None:
        del unused
        self.passes += 1
        self.scratch += 1
        self.extra["history"].append(len(self.extra["history"]))

    def get_extra_state(self) -> dict[str, list[int]]:
        return {"history": [*self.extra["history"]]}

    def set_extra_state(self, state: dict[str, list[int]]) -> None:
        self.extra = {"history": [*state["history"]]}


def _frozen(is_frozen: Callable[[str], bool]) -> instrumentation.Install:
    """Freezes params of every chunk, before anything wraps the chunk."""

    def replacement(original: Any) -> Any:
        def build(*args: Any) -> Any:
            chunk = original(*args)
            for name, param in chunk.named_parameters():
                param.requires_grad = not is_frozen(name)
            return chunk

        return build

    return instrumentation.replaced(
        "regress.trainer.model", "_build_chunk", replacement
    )


def _with_statistics(original: Any) -> Any:
    def build(*args: Any) -> Any:
        chunks = original(*args)
        for chunk in chunks:
            statistics = _Statistics()
            chunk.module.module.add_module("statistics", statistics)
            chunk.register_forward_hook(statistics.count)
        return chunks

    return build


INSTALLS: dict[str, instrumentation.Install] = {
    "frozen params": _frozen(lambda name: "linear_fc1" in name),
    # On both stages that have it. No rank has a decoupled group, then.
    "a frozen embedding": _frozen(
        lambda name: "word_embeddings" in name or "output_layer" in name
    ),
    # All groups of the rank are empty.
    "a frozen rank": _frozen(lambda name: instrumentation.rank() == 1),
    "buffers and extra states": instrumentation.wrapped(
        hooks.BUILD_MODEL, _with_statistics
    ),
}


def install(argument: str) -> None:
    """Lets this rank train in the way of that name."""
    INSTALLS[argument]()
