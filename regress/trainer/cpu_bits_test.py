"""Tests that each CPU kernel gives the same bits on every machine.

A golden says that some number differs; this says in which kernel. The digests
are those of an AMD EPYC of family 26, which has AVX-512 and an L2 cache of 1
MB, and of qemu's Haswell, Skylake and EPYC-Rome.
"""

import hashlib
from collections.abc import Callable

from absl.testing import absltest, parameterized

from regress.trainer import single_rank_test_helper  # before torch

import torch  # isort: skip
from torch.nn import functional  # isort: skip

_BACKEND = single_rank_test_helper.BACKEND


def _numbers(*shape: int) -> torch.Tensor:
    """Returns numbers from -1 to 1, by arithmetic that is exact."""
    count = torch.Size(shape).numel()
    scattered = torch.arange(count) * 2654435761 % (1 << 24)
    return (scattered.double() / (1 << 23) - 1).float().view(shape)


def _with_gradient(
    function: Callable[[torch.Tensor], torch.Tensor],
) -> Callable[[], torch.Tensor]:
    """Returns a function of the value and the gradient, one after the other."""

    def compute() -> torch.Tensor:
        given = _numbers(64, 96).requires_grad_()
        result = function(given)
        result.backward(_numbers(*result.shape))
        assert given.grad is not None
        return torch.cat([result.detach().flatten(), given.grad.flatten()])

    return compute


def _product(common: int) -> torch.Tensor:
    return torch.mm(_numbers(64, common), _numbers(common, 48))


def _update() -> torch.Tensor:
    weight = _numbers(64, 48).requires_grad_()
    weight.grad = _numbers(64, 48) / 7
    optimizer = torch.optim.AdamW([weight], lr=1e-3)
    for _ in range(3):
        optimizer.step()
    return weight.detach()


_KERNELS: dict[str, Callable[[], torch.Tensor]] = {
    "product over 64": lambda: _product(64),
    "product over 384": lambda: _product(384),
    "product over 1024": lambda: _product(1024),
    "product of bfloat16": lambda: torch.mm(
        _numbers(64, 512).bfloat16(), _numbers(512, 48).bfloat16()
    ),
    "exponential": lambda: _numbers(6000).mul(9).exp(),
    "logarithm": lambda: _numbers(6000).abs().log(),
    "square root": lambda: _numbers(6000).abs().sqrt(),
    "mask of dropout": lambda: torch.empty(6000).bernoulli_(
        0.9, generator=torch.Generator().manual_seed(1)
    ),
    "sum": lambda: _numbers(6000).sum().view(1),
    "sums of rows": lambda: _numbers(60, 999).sum(1),
    "norm": lambda: _numbers(6000).norm().view(1),
    "softmax": _with_gradient(lambda x: functional.softmax(x, -1)),
    "GELU": _with_gradient(functional.gelu),
    "layer norm": _with_gradient(lambda x: functional.layer_norm(x, (96,))),
    "layer norm of bfloat16": _with_gradient(
        lambda x: functional.layer_norm(x.bfloat16(), (96,)).float()
    ),
    "updates of AdamW": _update,
}
_DIGESTS = {
    "product over 64": "86423f81618c",
    "product over 384": "0ae9256c06e8",
    "product over 1024": "d5d0d7adeb13",
    "product of bfloat16": "565a8357022d",
    "exponential": "200a84cc1fae",
    "logarithm": "df5496b72c71",
    "square root": "1aa30b67a7ab",
    "mask of dropout": "03340dd809b4",
    "sum": "70ca61ae8f3b",
    "sums of rows": "893ba3b65cb0",
    "norm": "9e711391fd4b",
    "softmax": "c838350094be",
    "GELU": "203ef1dc0164",
    "layer norm": "243cc114f040",
    "layer norm of bfloat16": "9a8099e896e6",
    "updates of AdamW": "5b1798d27b44",
}


class CpuBitsTest(parameterized.TestCase):
    @parameterized.parameters(*_KERNELS)
    def test_the_bits_are_those_of_other_machines(self, kernel: str) -> None:
        result = _KERNELS[kernel]().contiguous().view(torch.uint8)
        digest = hashlib.sha256(result.numpy().tobytes()).hexdigest()
        self.assertEqual(
            digest[:12],
            _DIGESTS[kernel],
            f"{kernel}: this machine computes other bits than others, with "
            f"{_BACKEND.observe_settings()}. Its CPU goldens will differ.",
        )


if __name__ == "__main__":
    absltest.main()
