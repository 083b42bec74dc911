"""Tests for how a rank's exit status is read."""

from absl.testing import absltest, parameterized

from regress.run import exit_codes, run_pb2


class ExitedWithTest(parameterized.TestCase):
    @parameterized.parameters(
        (0, 0, exit_codes.SUCCESS, True),
        (3, 0, exit_codes.DAMAGED_CHECKPOINT, True),
        (3, 0, exit_codes.SUCCESS, False),
        (0, 0, exit_codes.DAMAGED_CHECKPOINT, False),
        # The code of a process that a signal ended is 0, and means nothing.
        (0, 9, exit_codes.SUCCESS, False),
    )
    def test_takes_the_code_of_a_process_that_exited(
        self, code: int, signal: int, asked: int, expected: bool
    ) -> None:
        status = run_pb2.ExitStatus(code=code, signal=signal)
        self.assertIs(exit_codes.exited_with(status, asked), expected)


if __name__ == "__main__":
    absltest.main()
