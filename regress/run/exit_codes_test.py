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


_Exit = run_pb2.ExitStatus


class OrderTest(parameterized.TestCase):
    @parameterized.parameters(
        # The one that told of it first, whatever they ended with.
        (_Exit(told=True, seconds=1), _Exit(told=True, code=1, seconds=2)),
        (_Exit(told=True, code=1, seconds=1), _Exit(signal=6, seconds=2)),
        # The one that was ended by something else than the loss of a peer.
        (_Exit(signal=11, seconds=3), _Exit(told=True, code=1, seconds=2)),
        (_Exit(signal=9, seconds=3), _Exit(signal=6, seconds=2)),
        (_Exit(code=0, seconds=3), _Exit(told=True, code=1, seconds=2)),
        (_Exit(code=5, seconds=3), _Exit(told=True, code=1, seconds=2)),
        # A rank that waited for the other one.
        (
            _Exit(told=True, seconds=3),
            _Exit(signal=9, cause=_Exit.HANG, seconds=9),
        ),
        # Nothing is known but the time.
        (_Exit(code=1, seconds=1), _Exit(code=1, seconds=2)),
    )
    def test_tells_who_was_first(
        self, first: run_pb2.ExitStatus, then: run_pb2.ExitStatus
    ) -> None:
        self.assertLess(exit_codes.order(first), exit_codes.order(then))


if __name__ == "__main__":
    absltest.main()
