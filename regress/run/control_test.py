"""Tests for a rank's connection to its supervisor."""

import os
import socket
import threading
import time
from unittest import mock

from absl.testing import absltest

from regress.case import case_pb2
from regress.run import control, run_pb2


def _socketpair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _from_environment(value: str | None) -> control.Control:
    environment = {} if value is None else {control.CONTROL_FD: value}
    with mock.patch.dict(os.environ, environment, clear=True):
        return control.Control.from_environment()


class ControlTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.supervisor, rank = _socketpair()
        self.addCleanup(self.supervisor.close)
        self.rank = rank.dup()
        self.addCleanup(self.rank.close)
        self.control = _from_environment(str(rank.detach()))
        self.addCleanup(self.control._hang_up)

    def received(self) -> run_pb2.Progress:
        return run_pb2.Progress.FromString(self.supervisor.recv(1 << 16))

    def test_sends_one_packet_for_one_progress(self) -> None:
        self.control.progress(1, "lm loss 5.5")
        self.control.progress(2, "")
        self.assertEqual(
            self.received(), run_pb2.Progress(iteration=1, text="lm loss 5.5")
        )
        self.assertEqual(self.received(), run_pb2.Progress(iteration=2))

    def test_tells_of_the_end_when_the_trainer_has_hung_up(self) -> None:
        environment = {control.CONTROL_FD: str(self.rank.fileno())}
        with mock.patch.dict(os.environ, environment, clear=True):
            last = control.for_last_message()
        self.control._hang_up()
        before = time.monotonic()
        last.end()
        message = self.received()
        self.assertBetween(message.ends_at, before, time.monotonic())
        message.ClearField("ends_at")
        self.assertEqual(message, run_pb2.Progress())
        last._hang_up()

    def test_refuses_a_message_that_reads_like_a_closed_socket(self) -> None:
        with self.assertRaisesRegex(ValueError, "needs a text"):
            self.control.progress(0, "")
        self.control.progress(0, "ready")
        self.assertEqual(self.received(), run_pb2.Progress(text="ready"))

    def test_waits_until_the_supervisor_answers(self) -> None:
        messages = []

        def answer() -> None:
            messages.append(self.received())
            self.supervisor.send(b"\1")

        thread = threading.Thread(target=answer)
        thread.start()
        self.control.wait_here(30, case_pb2.BACKWARD)
        thread.join()
        self.assertEqual(
            messages,
            [
                run_pb2.Progress(
                    iteration=30, phase=case_pb2.BACKWARD, waiting=True
                )
            ],
        )
        # The rank read the answer. If it had not waited, the answer would still
        # be in the socket.
        with self.assertRaises(BlockingIOError):
            self.rank.recv(1, socket.MSG_DONTWAIT)

    def test_ignores_a_supervisor_that_is_gone(self) -> None:
        self.supervisor.close()
        self.control.progress(1, "")
        self.control.progress(2, "")
        self.control.wait_here(3, case_pb2.FORWARD)

    def test_ignores_a_supervisor_that_goes_while_it_waits(self) -> None:
        # Unread messages make the kernel reset the connection, not close it.
        for unread in (False, True):
            supervisor, rank = _socketpair()
            waiting = control.Control(rank)

            def close(
                supervisor: socket.socket = supervisor, unread: bool = unread
            ) -> None:
                supervisor.recv(1, socket.MSG_PEEK if unread else 0)
                supervisor.close()

            thread = threading.Thread(target=close)
            thread.start()
            waiting.wait_here(1, case_pb2.FORWARD)
            thread.join()
            waiting.progress(2, "")


class AloneTest(absltest.TestCase):
    def test_does_nothing_without_a_supervisor(self) -> None:
        alone = _from_environment(None)
        alone.progress(1, "")
        alone.wait_here(1, case_pb2.FORWARD)
        alone.end()

    def test_names_a_variable_that_is_not_a_socket(self) -> None:
        with open(os.devnull) as not_a_socket:
            for value in ("x", "", str(not_a_socket.fileno())):
                with mock.patch.dict(os.environ, {control.CONTROL_FD: value}):
                    # The trainer names it; this one does nothing.
                    control.for_last_message().end()
                with self.assertRaisesRegex(
                    control.ControlError,
                    f"REGRESS_CONTROL_FD must be .* but is '{value}'",
                ):
                    _from_environment(value)


if __name__ == "__main__":
    absltest.main()
