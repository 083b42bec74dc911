"""Tests of the CPU's own kernels."""

import numpy
import torch
from absl.testing import absltest, parameterized

from regress.trainer import cpu_kernels


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


class CpuKernelsTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cpu_kernels.apply()

    @parameterized.parameters(
        (torch.mm, (96, 300), (300, 40)),
        (torch.bmm, (3, 96, 300), (3, 300, 40)),
        (torch.matmul, (7, 96, 300), (300, 40)),
    )
    def test_bfloat16_is_the_rounded_float32_product(
        self,
        product: "torch._C._VariableFunctions",
        left_shape: tuple[int, ...],
        right_shape: tuple[int, ...],
    ) -> None:
        left = _random(*left_shape).bfloat16()
        right = _random(*right_shape).bfloat16()
        expected = product(left.float(), right.float()).bfloat16()
        actual = product(left, right)
        self.assertIs(actual.dtype, torch.bfloat16)
        self.assertTrue(torch.equal(actual, expected))

    def test_baddbmm_scales_and_ignores_an_addend_of_weight_zero(self) -> None:
        left, right = _random(2, 5, 8).bfloat16(), _random(2, 8, 5).bfloat16()
        addend = torch.full((2, 5, 5), float("nan"), dtype=torch.bfloat16)
        expected = (torch.bmm(left.float(), right.float()) * 0.5).bfloat16()
        actual = torch.baddbmm(addend, left, right, beta=0.0, alpha=0.5)
        self.assertTrue(torch.equal(actual, expected))

    def test_float32_is_left_alone(self) -> None:
        left, right = _random(64, 64), _random(64, 64)
        actual = torch.mm(left, right)
        self.assertIs(actual.dtype, torch.float32)
        self.assertTrue(
            torch.equal(actual, torch.mm(left, right, out=torch.empty(64, 64)))
        )

    def test_gradients_flow_through(self) -> None:
        left = _random(6, 8).bfloat16().requires_grad_()
        right = _random(8, 4).bfloat16().requires_grad_()
        torch.mm(left, right).float().sum().backward()
        ones = torch.ones(6, 4)
        self.assertTrue(
            torch.equal(
                left.grad, (ones @ right.detach().float().t()).bfloat16()
            )
        )

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
        self.assertEqual(tensor.grad.item(), 0.25)


if __name__ == "__main__":
    absltest.main()
