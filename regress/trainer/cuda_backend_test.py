"""Tests for the CUDA backend that need no GPU."""

import pathlib
from unittest import mock

import torch
from absl.testing import absltest, parameterized

from regress.trainer import backend, cuda_backend


class CudaBackendTest(parameterized.TestCase):
    @parameterized.parameters(
        ("NVIDIA H200", "nvidia_h200"),
        ("NVIDIA H100 80GB HBM3", "nvidia_h100"),
        ("NVIDIA A100-SXM4-40GB", "nvidia_a100"),
        ("NVIDIA GeForce RTX 4090", "nvidia_geforce_rtx_4090"),
    )
    def test_hardware_is_named_after_the_device(
        self, device: str, hardware: str
    ) -> None:
        self.assertEqual(cuda_backend.hardware_of(device), hardware)

    @parameterized.parameters(
        ("/nonexistent", "There is no NVIDIA driver"),
        ("/dev/null", "No CUDA device was found"),
    )
    def test_no_device_is_one_sentence(
        self, driver: str, expected: str
    ) -> None:
        declared = cuda_backend.CudaBackend("nvidia_h200")
        with (
            mock.patch.object(cuda_backend, "_DRIVER", pathlib.Path(driver)),
            self.assertRaisesRegex(
                backend.BackendError, f"{expected}; expected nvidia_h200"
            ) as raised,
        ):
            declared.start_rank(0, 4)
        self.assertEqual(raised.exception.hardware_found, "none")

    def device(self, name: str) -> None:
        for function, value in (
            ("is_available", True),
            ("device_count", 4),
            ("set_device", None),
            ("get_device_name", name),
            ("mem_get_info", (1 << 30, 24 << 30)),
            ("memory_allocated", 3 << 30),
        ):
            self.enter_context(
                mock.patch.object(torch.cuda, function, return_value=value)
            )

    def test_another_device_is_one_sentence(self) -> None:
        self.device("NVIDIA L4")
        with self.assertRaisesRegex(
            backend.BackendError,
            r"The GPU is NVIDIA L4 \(nvidia_l4\); expected nvidia_h200",
        ) as raised:
            cuda_backend.CudaBackend("nvidia_h200").start_rank(0, 4)
        self.assertEqual(raised.exception.hardware_found, "nvidia_l4")

    @parameterized.parameters("nvidia_l4", "any")
    def test_takes_the_declared_device(self, hardware: str) -> None:
        self.device("NVIDIA L4")
        device = cuda_backend.CudaBackend(hardware).start_rank(3, 4)
        self.assertEqual(device, torch.device("cuda", 3))

    def test_full_memory_is_one_sentence(self) -> None:
        self.device("NVIDIA L4")
        declared = cuda_backend.CudaBackend("nvidia_l4")
        self.assertRegex(
            declared.out_of_memory(torch.cuda.OutOfMemoryError()) or "",
            "The memory of NVIDIA L4 .* holds 3.0 GiB .* 1.0 GiB of 24.0 GiB",
        )
        self.assertIsNone(declared.out_of_memory(RuntimeError("another")))

    @parameterized.parameters((4, False), (5, True))
    def test_more_gpus_are_advised_where_ranks_share_one(
        self, ranks: int, shares: bool
    ) -> None:
        self.device("NVIDIA L4")
        declared = cuda_backend.CudaBackend("nvidia_l4")
        declared.start_rank(0, ranks)
        advice = declared.out_of_memory(torch.cuda.OutOfMemoryError()) or ""
        self.assertEqual("more GPUs" in advice, shares)
        self.assertIn("smaller case", advice)


if __name__ == "__main__":
    absltest.main()
