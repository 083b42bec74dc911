"""torch and megatron-core work from their wheels."""

from absl.testing import absltest


class TorchTest(absltest.TestCase):
    def test_imports_megatron_core(self):
        import torch
        from megatron.core import parallel_state

        self.assertEqual(torch.ones(2, 2).sum().item(), 4.0)
        self.assertFalse(parallel_state.is_initialized())


if __name__ == "__main__":
    absltest.main()
