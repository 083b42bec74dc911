"""Tests for counting GPUs."""

import ctypes
from unittest import mock

from absl.testing import absltest, parameterized

from regress.supervisor import gpus


class _Library:
    """NVIDIA's management library on a machine with four GPUs."""

    def __init__(self, status: int = 0) -> None:
        self._status = status
        self.open = 0

    def nvmlInit_v2(self) -> int:  # noqa: N802 - NVIDIA's names
        self.open += not self._status
        return self._status

    def nvmlShutdown(self) -> int:  # noqa: N802
        self.open -= 1
        return 0

    def nvmlDeviceGetCount_v2(self, number: object) -> int:  # noqa: N802
        number._obj.value = 4  # type: ignore[attr-defined]
        return 0


class GpusTest(parameterized.TestCase):
    @parameterized.parameters(
        ({}, 4),
        ({"CUDA_VISIBLE_DEVICES": "0"}, 1),
        ({"CUDA_VISIBLE_DEVICES": "2,3"}, 2),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5"}, 4),
        ({"CUDA_VISIBLE_DEVICES": ""}, 0),
    )
    def test_counts_what_ranks_will_find(
        self, environment: dict[str, str], expected: int
    ) -> None:
        library = _Library()
        with mock.patch.object(ctypes, "CDLL", return_value=library):
            self.assertEqual(gpus.count(environment), expected)
        self.assertEqual(library.open, 0)

    def test_without_a_driver_there_is_none(self) -> None:
        with mock.patch.object(ctypes, "CDLL", side_effect=OSError):
            self.assertEqual(gpus.count({}), 0)

    def test_with_a_driver_that_does_not_start_there_is_none(self) -> None:
        with mock.patch.object(ctypes, "CDLL", return_value=_Library(9)):
            self.assertEqual(gpus.count({}), 0)


if __name__ == "__main__":
    absltest.main()
