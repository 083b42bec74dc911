"""Tests for sharing GPUs."""

import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from regress.supervisor import gpu_sharing, gpus, mps


class GpuSharingTest(parameterized.TestCase):
    def machine(self, count: int, *, has_mps: bool) -> None:
        self.enter_context(mock.patch.object(gpus, "count", return_value=count))
        self.enter_context(
            mock.patch.object(mps, "is_available", return_value=has_mps)
        )
        self.server = self.enter_context(
            mock.patch.object(mps, "server", autospec=True)
        )
        self.enter_context(mock.patch.dict(os.environ))
        os.environ.pop(mps.PIPES, None)

    @parameterized.parameters(
        (1, True, "4 ranks on 1 GPU, at the same time through MPS"),
        (
            2,
            False,
            "4 ranks on 2 GPUs, time-sliced: nvidia-cuda-mps-control is not on "
            "the PATH",
        ),
        (4, True, "4 ranks on 4 GPUs"),
        (0, True, "4 ranks on 0 GPUs"),
    )
    def test_is_described(
        self, count: int, has_mps: bool, expected: str
    ) -> None:
        self.machine(count, has_mps=has_mps)
        self.assertEqual(gpu_sharing.describe("nvidia_h200", 4), expected)

    def test_a_cpu_is_not_asked_for_gpus(self) -> None:
        self.machine(1, has_mps=True)
        self.assertEqual(gpu_sharing.describe("none", 4), "4 ranks on the CPU")
        self.assert_has_server(False, "none")

    @parameterized.parameters((1, True), (3, True), (4, False), (0, False))
    def test_has_a_server_where_ranks_share(
        self, count: int, expected: bool
    ) -> None:
        self.machine(count, has_mps=True)
        self.assert_has_server(expected)

    def test_has_no_server_without_the_program(self) -> None:
        self.machine(1, has_mps=False)
        self.assert_has_server(False)

    def test_uses_the_server_that_is_there(self) -> None:
        self.machine(1, has_mps=True)
        os.environ[mps.PIPES] = "somewhere"
        self.assert_has_server(False)
        self.assertIn(
            "the MPS server of", gpu_sharing.describe("nvidia_h200", 4)
        )

    def assert_has_server(
        self, expected: bool, hardware: str = "nvidia_h200"
    ) -> None:
        with gpu_sharing.environments(hardware, 4, pathlib.Path()) as found:
            self.assertEqual(self.server.called, expected)
            self.assertLen(found, 4)
            if not expected:
                self.assertNoCommonElements(found[0], (mps.PIPES, gpus.VISIBLE))

    def test_a_client_takes_all_devices_of_its_server(self) -> None:
        self.machine(2, has_mps=True)
        os.environ[gpus.VISIBLE] = "5,7"
        self.server.return_value.__enter__.return_value = {mps.PIPES: "pipes"}
        with gpu_sharing.environments("any", 4, pathlib.Path()) as found:
            for rank in found:
                self.assertEqual(rank[mps.PIPES], "pipes")
                self.assertEqual(rank[gpus.VISIBLE], "0,1")

    @parameterized.product(
        machine=((1, True), (3, True), (4, False), (0, False)),
        has_mps=(False, True),
    )
    def test_ranks_that_share_are_hosts_of_their_own_for_nccl(
        self, machine: tuple[int, bool], has_mps: bool
    ) -> None:
        count, shares = machine
        self.machine(count, has_mps=has_mps)
        with gpu_sharing.environments("any", 4, pathlib.Path()) as found:
            hosts = [rank.get("NCCL_HOSTID") for rank in found]
        self.assertLen(set(hosts), 4 if shares else 1)
        self.assertEqual(None in hosts, not shares)


if __name__ == "__main__":
    absltest.main()
