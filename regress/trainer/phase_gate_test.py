"""Tests for the phase gate."""

from absl.testing import absltest

from regress.case import case_pb2
from regress.run import control
from regress.trainer import phase_gate

_PLACE = phase_gate.WaitAt(30, case_pb2.BACKWARD)


class _RecordingControl(control.Control):
    def __init__(self) -> None:
        super().__init__(None)
        self.waits: list[tuple[int, int]] = []

    def wait_here(self, iteration: int, phase: "case_pb2.Phase") -> None:
        self.waits.append((iteration, phase))


class PhaseGateTest(absltest.TestCase):
    def test_parses_a_place(self) -> None:
        self.assertEqual(phase_gate.WaitAt.parse("30:BACKWARD"), _PLACE)

    def test_refuses_what_is_no_place(self) -> None:
        for text in ("30", "x:BACKWARD", "30:SIDEWAYS"):
            with self.assertRaises(ValueError):
                phase_gate.WaitAt.parse(text)

    def test_waits_at_its_place_only(self) -> None:
        recorder = _RecordingControl()
        gate = phase_gate.PhaseGate(recorder, _PLACE)
        gate.reach(30, case_pb2.FORWARD)
        gate.reach(29, case_pb2.BACKWARD)
        self.assertEqual(recorder.waits, [])
        gate.reach(30, case_pb2.BACKWARD)
        self.assertEqual(recorder.waits, [(30, case_pb2.BACKWARD)])

    def test_without_a_place_never_waits(self) -> None:
        recorder = _RecordingControl()
        phase_gate.PhaseGate(recorder, None).reach(30, case_pb2.BACKWARD)
        self.assertEqual(recorder.waits, [])


if __name__ == "__main__":
    absltest.main()
