"""Patches to torch that let megatron-core run without a GPU.

megatron-core hard-codes the CUDA device in a few places that a CPU run also
executes. Each patch covers some of them and names them; it does no harm to a
release that lacks the place. Only the CPU backend applies the patches, before
megatron-core is imported; with a GPU nothing is patched.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import torch

_CPU = torch.device("cpu")


@dataclasses.dataclass(frozen=True)
class Patch:
    """A change to torch, and the places in megatron-core that need it."""

    name: str
    needed_by: str
    apply: Callable[[], None]


def _current_device() -> None:
    # Callers pass the result on as `device=`, so a torch.device works where
    # CUDA would return an index.
    torch.cuda.current_device = lambda: _CPU  # type: ignore[assignment, return-value]


class _Stream:
    """Stands in for a CUDA stream; work on a CPU is synchronous."""

    def wait_stream(self, stream: object) -> None:
        """Returns at once."""

    def wait_event(self, event: object) -> None:
        """Returns at once."""


def _current_stream() -> None:
    stream = _Stream()
    torch.cuda.current_stream = lambda device=None: stream  # type: ignore[assignment, return-value]


def _redirect_device(name: str) -> None:
    original = getattr(torch, name)

    @functools.wraps(original)
    def on_cpu(*args: Any, **kwargs: Any) -> torch.Tensor:
        if kwargs.get("device") == "cuda":
            kwargs["device"] = _CPU
        tensor: torch.Tensor = original(*args, **kwargs)
        return tensor

    setattr(torch, name, on_cpu)


def _type_name() -> None:
    original = torch.Tensor.type

    def cuda_type_name(
        tensor: torch.Tensor, *args: Any, **kwargs: Any
    ) -> str | torch.Tensor:
        result: str | torch.Tensor = original(tensor, *args, **kwargs)
        if isinstance(result, str):
            return result.replace("torch.", "torch.cuda.", 1)
        return result

    torch.Tensor.type = cuda_type_name  # type: ignore[method-assign, assignment]


def _random_generator() -> None:
    # The CPU's only generator stands in for the device's: dropout on a CPU
    # draws from it, and the model-parallel tracker saves and restores it.
    def get_rng_state(device: object = None) -> torch.Tensor:
        del device
        return torch.get_rng_state()

    def manual_seed(seed: int) -> None:
        torch.default_generator.manual_seed(int(seed))

    def call_now(callback: Callable[[], None], **unused: Any) -> None:
        del unused
        callback()

    torch.cuda.get_rng_state = get_rng_state
    torch.cuda.random.get_rng_state = get_rng_state
    torch.cuda.manual_seed = manual_seed
    torch.cuda.default_generators = {_CPU: torch.default_generator}  # type: ignore[assignment]
    torch.cuda._lazy_call = call_now  # type: ignore[assignment]


def _to_cuda() -> None:
    def stay(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        del args, kwargs
        return tensor

    torch.Tensor.cuda = stay  # type: ignore[method-assign, assignment]


PATCHES = (
    Patch(
        "torch.cuda.current_device",
        "pipeline_parallel/p2p_communication.py, where tensors are received; "
        "distributed/param_and_grad_buffer.py, the gradient buffer; "
        "transformer/dot_product_attention.py, the scores",
        _current_device,
    ),
    Patch(
        "torch.cuda.current_stream",
        "distributed/param_and_grad_buffer.py, where gradients are reduced "
        "(since 0.19)",
        _current_stream,
    ),
    Patch(
        "torch.zeros(device='cuda')",
        "pipeline_parallel/schedules.py, the token count; "
        "optimizer/clip_grads.py, the count of zeros",
        functools.partial(_redirect_device, "zeros"),
    ),
    Patch(
        "torch.tensor(device='cuda')",
        "optimizer/clip_grads.py, the norm; optimizer/optimizer.py, the scale",
        functools.partial(_redirect_device, "tensor"),
    ),
    Patch(
        "torch.Tensor.type()",
        "optimizer/optimizer.py and optimizer/clip_grads.py, which tell a "
        "param's precision by the name 'torch.cuda.BFloat16Tensor'",
        _type_name,
    ),
    Patch(
        "torch.cuda's random generator",
        "tensor_parallel/random.py, the tracker of the model-parallel stream",
        _random_generator,
    ),
    Patch(
        "torch.Tensor.cuda()",
        "models/common/language_module/language_module.py, tied embeddings",
        _to_cuda,
    ),
)


def apply() -> None:
    """Applies every patch. Call it once, before importing megatron.core."""
    for patch in PATCHES:
        patch.apply()
