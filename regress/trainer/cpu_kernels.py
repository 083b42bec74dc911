"""Kernels for the CPU whose bits every x86-64 with AVX2 gives: NumPy's.

Matrix products are accumulated in float32 and then rounded, as a GPU's tensor
cores do, by OpenBLAS's kernel for Haswell, which OPENBLAS_CORETYPE pins. ATen
leaves them to oneDNN, which has no setting that gives every CPU the same bits;
to MKL, which has one that is three times slower; or, in bfloat16 and without
oneDNN, to plain loops, which take more than half of a step's time.

Square roots are exact. ATen takes them from MKL's vector math, whose last bit
depends on the CPU whatever MKL_CBWR says; Adam has one in every update.
"""

import numpy
import torch

# The registration lasts as long as the object does.
_OVERRIDES = torch.library.Library("aten", "IMPL")


def _product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Returns left @ right, not yet rounded to the operands' type."""
    left, right = _widen(left), _widen(right)
    out = left.new_empty((*left.shape[:-1], right.shape[-1]))
    numpy.matmul(left.numpy(), right.numpy(), out=out.numpy())
    return out


def _mm(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return _product(left, right).to(left.dtype)


def _baddbmm(
    addend: torch.Tensor,
    left: torch.Tensor,
    right: torch.Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
) -> torch.Tensor:
    out = _product(left, right).mul_(alpha)
    # An addend of no weight may be uninitialized.
    if beta:
        out.add_(_widen(addend), alpha=beta)
    return out.to(left.dtype)


def _sqrt(tensor: torch.Tensor) -> torch.Tensor:
    wide = _widen(tensor)
    root = torch.empty_like(wide)
    numpy.sqrt(wide.numpy(), out=root.numpy())
    return root.to(tensor.dtype)


def _widen(tensor: torch.Tensor) -> torch.Tensor:
    """Returns the tensor in a type that NumPy has, without its gradient."""
    tensor = tensor.detach()
    return tensor.float() if tensor.dtype is torch.bfloat16 else tensor


def apply() -> None:
    """Replaces ATen's kernels on the CPU, for the life of the process."""
    for name, kernel in (
        ("mm", _mm),
        ("bmm", _mm),
        ("baddbmm", _baddbmm),
        ("sqrt", _sqrt),
    ):
        _OVERRIDES.impl(name, kernel, "CPU", allow_override=True)
