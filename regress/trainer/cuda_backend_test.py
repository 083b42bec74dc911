"""Tests of the CUDA backend that need no GPU."""

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

    def test_no_device_is_one_sentence(self) -> None:
        promised = cuda_backend.CudaBackend("nvidia_h200")
        with self.assertRaisesRegex(
            backend.BackendError, "No CUDA device was found; expected nvidia"
        ):
            promised.start_rank(0, 4)

    def test_ranks_on_one_device_are_hosts_of_their_own(self) -> None:
        hosts = {
            cuda_backend._share_devices(rank)["NCCL_HOSTID"]
            for rank in range(4)
        }
        self.assertLen(hosts, 4)


if __name__ == "__main__":
    absltest.main()
