"""Tests of what a check's counts say."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import check_status


class FailedTest(parameterized.TestCase):
    @parameterized.parameters((8, 0, False), (8, 1, True), (0, 0, True))
    def test_anything_different_or_nothing_compared(
        self, compared, differing, failed
    ):
        check = verdict_pb2.Check(compared=compared, differing=differing)
        self.assertEqual(check_status.failed(check), failed)


if __name__ == "__main__":
    absltest.main()
