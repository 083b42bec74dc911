"""Tests that each CPU patch does what megatron-core needs."""

from unittest import mock

import torch
from absl.testing import absltest

from regress.trainer import cpu_patches


class CpuPatchesTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cpu_patches.apply()

    def test_the_current_device_is_the_cpu(self) -> None:
        tensor = torch.empty(2, device=torch.cuda.current_device())
        self.assertEqual(tensor.device.type, "cpu")

    def test_the_current_stream_has_nothing_to_wait_for(self) -> None:
        stream = torch.cuda.current_stream()
        stream.wait_stream(torch.cuda.current_stream(torch.device("cpu")))
        stream.wait_event(mock.sentinel.event)

    def test_new_tensors_for_cuda_are_on_the_cpu(self) -> None:
        self.assertEqual(torch.zeros(2, device="cuda").device.type, "cpu")
        self.assertEqual(torch.tensor([1.0], device="cuda").item(), 1.0)

    def test_a_type_is_named_as_on_cuda(self) -> None:
        tensor = torch.zeros(2, dtype=torch.bfloat16)
        self.assertEqual(tensor.type(), "torch.cuda.BFloat16Tensor")

    def test_a_type_can_still_be_asked_for(self) -> None:
        self.assertIs(torch.zeros(2).type(torch.int8).dtype, torch.int8)

    def test_cuda_is_where_the_tensor_is(self) -> None:
        tensor = torch.zeros(2)
        self.assertIs(tensor.cuda(), tensor)

    def test_the_tracker_keeps_its_stream_apart(self) -> None:
        from megatron.core.tensor_parallel import random

        torch.manual_seed(1)
        tracker = random.CudaRNGStatesTracker()
        tracker.add("own", 7)
        before = torch.get_rng_state()
        with tracker.fork("own"):
            first = torch.rand(3)
        self.assertTrue(torch.equal(torch.get_rng_state(), before))
        with tracker.fork("own"):
            second = torch.rand(3)
        torch.manual_seed(7)
        self.assertTrue(torch.equal(torch.rand(3), first))
        self.assertTrue(torch.equal(torch.rand(3), second))

    def test_every_patch_says_where_it_is_needed(self) -> None:
        for patch in cpu_patches.PATCHES:
            self.assertRegex(patch.needed_by, r"\w+/\w+\.py", patch.name)


if __name__ == "__main__":
    absltest.main()
