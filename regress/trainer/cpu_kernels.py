"""CPU kernels that give the same bits on every x86-64 with AVX2, from NumPy.

Matrix products accumulate in float32 and round once at the end, as a GPU's
tensor cores do. They run in OpenBLAS's Haswell kernel, pinned by
OPENBLAS_CORETYPE, in blocks whose size OPENBLAS_L2_SIZE pins. ATen would use
oneDNN, which has no setting that gives the same bits on every CPU; MKL, whose
setting makes it three times slower; or, for bfloat16 without oneDNN, plain
loops, which take more than half of a step's time.

Square roots are correctly rounded. ATen uses MKL's vector math, whose last bit
depends on the CPU whatever MKL_CBWR says, and every Adam update takes one.
"""

import numpy
import torch

# The kernels stay registered for as long as this object lives.
_OVERRIDES = torch.library.Library("aten", "IMPL")


def _product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Returns left @ right, before rounding to the operands' type."""
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
    # With beta 0 the addend may be uninitialized.
    if beta:
        out.add_(_widen(addend), alpha=beta)
    return out.to(left.dtype)


def _sqrt(tensor: torch.Tensor) -> torch.Tensor:
    wide = _widen(tensor)
    root = torch.empty_like(wide)
    numpy.sqrt(wide.numpy(), out=root.numpy())
    return root.to(tensor.dtype)


def _widen(tensor: torch.Tensor) -> torch.Tensor:
    """Returns the tensor, detached, in a type that NumPy supports."""
    tensor = tensor.detach()
    return tensor.float() if tensor.dtype is torch.bfloat16 else tensor


def apply() -> None:
    """Replaces ATen's CPU kernels for the life of the process."""
    for name, kernel in (
        ("mm", _mm),
        ("bmm", _mm),
        ("baddbmm", _baddbmm),
        ("sqrt", _sqrt),
    ):
        _OVERRIDES.impl(name, kernel, "CPU", allow_override=True)
