"""Tests for the CPU kernels."""

import numpy
import torch
from absl.testing import absltest, parameterized

from regress.trainer import cpu_kernels


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def _whole(*shape: int) -> torch.Tensor:
    """Whole numbers from -4 to 4, as float64."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(-4, 5, shape, generator=generator).double()


class CpuKernelsTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cpu_kernels.apply()

    @parameterized.parameters(torch.bfloat16, torch.float32, torch.float64)
    def test_products_are_wide_and_rounded_once(
        self, dtype: torch.dtype
    ) -> None:
        # Products of small whole numbers are exact.
        left, right = _whole(3, 40, 300), _whole(3, 300, 20)
        exact = torch.from_numpy(left.numpy() @ right.numpy()).to(dtype)
        left, right = left.to(dtype), right.to(dtype)
        for actual, expected in (
            (torch.bmm(left, right), exact),
            (torch.mm(left[0], right[0]), exact[0]),
            (torch.matmul(left, right[1]), left @ right[1]),
            (torch.mm(left[0], right[0].t().contiguous().t()), exact[0]),
        ):
            self.assertIs(actual.dtype, dtype)
            self.assertTrue(torch.equal(actual, expected))

    def test_a_product_accumulates_in_float32(self) -> None:
        # In bfloat16, 256 + 1 is 256.
        ones = torch.ones(1, 300, dtype=torch.bfloat16)
        self.assertEqual(torch.mm(ones, ones.t()).item(), 300.0)

    def test_baddbmm_scales_and_adds(self) -> None:
        left, right = _whole(2, 5, 8).bfloat16(), _whole(2, 8, 5).bfloat16()
        addend = torch.ones(2, 5, 5, dtype=torch.bfloat16)
        expected = torch.bmm(left, right) * 0.5 + 2.0
        actual = torch.baddbmm(addend, left, right, beta=2.0, alpha=0.5)
        self.assertTrue(torch.equal(actual, expected))

    def test_baddbmm_ignores_an_addend_of_weight_zero(self) -> None:
        left, right = _whole(2, 5, 8).bfloat16(), _whole(2, 8, 5).bfloat16()
        addend = torch.full((2, 5, 5), float("nan"), dtype=torch.bfloat16)
        actual = torch.baddbmm(addend, left, right, beta=0.0)
        self.assertTrue(torch.equal(actual, torch.bmm(left, right)))

    def test_gradients_flow_through(self) -> None:
        left = _whole(6, 8).bfloat16().requires_grad_()
        right = _whole(8, 4).bfloat16().requires_grad_()
        torch.mm(left, right).float().sum().backward()
        expected = right.detach().sum(1).expand(6, 8)
        assert left.grad is not None
        self.assertTrue(torch.equal(left.grad, expected))

    @parameterized.parameters((1000,), (1,), ())
    def test_square_roots_are_exact(self, *shape: int) -> None:
        tensor = _random(*shape).abs()
        exact = tensor.double().numpy() ** 0.5
        expected = torch.from_numpy(numpy.asarray(exact)).float()
        self.assertTrue(torch.equal(tensor.sqrt(), expected))
        self.assertTrue(torch.equal(torch._foreach_sqrt([tensor])[0], expected))

    def test_square_roots_keep_type_and_layout(self) -> None:
        tensor = _random(6, 4).abs().bfloat16().t()
        self.assertTrue(
            torch.equal(tensor.sqrt(), tensor.float().sqrt().bfloat16())
        )

    def test_square_roots_have_a_gradient(self) -> None:
        tensor = torch.tensor([4.0], requires_grad=True)
        tensor.sqrt().backward()
        assert tensor.grad is not None
        self.assertEqual(tensor.grad.item(), 0.25)


if __name__ == "__main__":
    absltest.main()
