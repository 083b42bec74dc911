"""Tests for handling SIGTERM and SIGINT."""

import contextlib
import io
import os
import select
import signal

from absl.testing import absltest, parameterized

from regress import errors
from regress.run import run_pb2
from regress.supervisor import cancellation


def _readable(signals: cancellation.StopSignals) -> bool:
    return bool(select.select([signals], [], [], 0)[0])


class StopSignalsTest(parameterized.TestCase):
    @parameterized.parameters(signal.SIGTERM, signal.SIGINT)
    def test_makes_a_signal_readable(self, number: signal.Signals) -> None:
        with cancellation.StopSignals() as signals:
            signals.read()
            self.assertIsNone(signals.received)
            self.assertFalse(_readable(signals))
            os.kill(os.getpid(), number)
            self.assertTrue(_readable(signals))
            signals.read()
            self.assertEqual(signals.received, number)
            self.assertFalse(_readable(signals))

    def test_keeps_the_first(self) -> None:
        with cancellation.StopSignals() as signals:
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(os.getpid(), number)
        self.assertEqual(signals.received, signal.SIGINT)

    def test_knows_other_signals_from_its_own(self) -> None:
        before = signal.signal(signal.SIGUSR1, lambda *_: None)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        with cancellation.StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGUSR1)
            self.assertTrue(_readable(signals))
            signals.read()
            self.assertIsNone(signals.received)

    def test_gives_the_signals_back(self) -> None:
        mine = []
        before = signal.signal(signal.SIGTERM, lambda *_: mine.append(1))
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        with cancellation.StopSignals():
            os.kill(os.getpid(), signal.SIGTERM)
        self.assertEmpty(mine)
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(mine, [1])


class CancelledTest(absltest.TestCase):
    def test_ends_a_program_with_one_sentence(self) -> None:
        attempt = run_pb2.Attempt()
        attempt.end.stop_signal = signal.SIGTERM
        cancelled = cancellation.Cancelled(attempt, signal.SIGTERM)

        @errors.ends_with(3)
        def main(argv: object) -> int:
            del argv
            raise cancelled

        with contextlib.redirect_stderr(io.StringIO()) as told:
            self.assertEqual(main([]), 3)
        self.assertEqual(told.getvalue(), f"{cancelled}\n")


if __name__ == "__main__":
    absltest.main()
