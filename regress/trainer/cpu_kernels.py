"""Kernels for the CPU whose bits every x86-64 with AVX2 gives.

Matrix products of bfloat16 are accumulated in float32 and then rounded, as a
GPU's tensor cores do. ATen leaves them to oneDNN, which has no setting that
gives every CPU the same bits; without oneDNN it falls back to plain loops,
which take more than half of a step's time. Here they are MKL's float32
products, whose bits MKL_CBWR pins.

Square roots are NumPy's, which are exact. ATen takes them from MKL's vector
math, whose last bit depends on the CPU whatever MKL_CBWR says; Adam has one in
every update.
"""

import numpy
import torch

# The registration lasts as long as the object does.
_OVERRIDES = torch.library.Library("aten", "IMPL")


def _mm(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    wide_left, wide_right = _widen(left), _widen(right)
    # The variant with `out` is not overridden: this is the way back to ATen.
    out = wide_left.new_empty((left.shape[0], right.shape[1]))
    return torch.mm(wide_left, wide_right, out=out).to(left.dtype)


def _bmm(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    wide_left, wide_right = _widen(left), _widen(right)
    out = wide_left.new_empty((*left.shape[:2], right.shape[2]))
    return torch.bmm(wide_left, wide_right, out=out).to(left.dtype)


def _baddbmm(
    addend: torch.Tensor,
    left: torch.Tensor,
    right: torch.Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
) -> torch.Tensor:
    wide_left, wide_right = _widen(left), _widen(right)
    out = wide_left.new_empty((*left.shape[:2], right.shape[2]))
    return torch.baddbmm(
        _widen(addend),
        wide_left,
        wide_right,
        beta=beta,
        alpha=alpha,
        out=out,
    ).to(left.dtype)


def _widen(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype is torch.bfloat16 else tensor


def _sqrt(tensor: torch.Tensor) -> torch.Tensor:
    wide = _widen(tensor.detach())
    root = torch.empty_like(wide)
    numpy.sqrt(wide.numpy(), out=root.numpy())
    return root.to(tensor.dtype)


def apply() -> None:
    """Replaces ATen's kernels on the CPU, for the life of the process."""
    for name, kernel in (
        ("mm", _mm),
        ("bmm", _bmm),
        ("baddbmm", _baddbmm),
        ("sqrt", _sqrt),
    ):
        _OVERRIDES.impl(name, kernel, "CPU", allow_override=True)
