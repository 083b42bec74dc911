"""Tests of what a check's outcome says."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import check_status

_CRASH = verdict_pb2.Verdict.CRASH
_NOT_RESUMED = verdict_pb2.Verdict.NOT_RESUMED


class StatusTest(parameterized.TestCase):
    @parameterized.parameters(
        (8, 0, verdict_pb2.Verdict.PASS, "ok"),
        (8, 1, _CRASH, "FAIL"),
        (8, 8, _CRASH, "FAIL"),
        (0, 0, _CRASH, "FAIL"),
        (8, 1, _NOT_RESUMED, "fails too"),
        (0, 0, _NOT_RESUMED, "no data"),
    )
    def test_beside_the_conclusion(self, compared, differing, by_itself, word):
        check = verdict_pb2.Check(
            compared=compared, differing=differing, conclusion=by_itself
        )
        self.assertEqual(check_status.status_of(check, _CRASH).value, word)

    def test_a_check_that_compared_nothing_is_not_ok_in_a_pass(self):
        passed = verdict_pb2.Verdict.PASS
        for by_itself in (passed, _NOT_RESUMED):
            status = check_status.status_of(
                verdict_pb2.Check(conclusion=by_itself), passed
            )
            self.assertNotEqual(status, check_status.Status.OK)


if __name__ == "__main__":
    absltest.main()
