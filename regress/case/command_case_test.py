"""Tests for the case of a command."""

import os
import pathlib

from absl.testing import absltest, parameterized

from regress.case import case_pb2, command_case, errors

_CASE = r"""
name: "mine"
command: "/bin/sh"
command: "train.sh"
command: "--out={job}"
environment { key: "OUT" value: "{job}/out" }
ranks: 2
log: "iter (?P<iteration>\\d+): loss (?P<loss>\\S+)"
checkpoints: "ckpt-*"
interruption { iteration: 5 signal: SIGKILL }
step_seconds: 7
"""


class CommandCaseTest(parameterized.TestCase):
    def load(self, text: str, *command: str) -> case_pb2.CommandCase:
        path = self.create_tempfile("mine.textproto", text).full_path
        return command_case.load(path, command)

    def test_fills_in_bounds(self) -> None:
        case = self.load(_CASE)
        self.assertEqual(
            (case.start_seconds, case.step_seconds, case.grace_seconds),
            (180, 7, 30),
        )
        self.assertEqual(case.interruption[0].phase, case_pb2.BETWEEN_STEPS)

    def test_a_pipe_is_no_case(self) -> None:
        path = pathlib.Path(self.create_tempdir(), "pipe.textproto")
        os.mkfifo(path)
        with self.assertRaisesRegex(
            errors.CaseError, "cannot read the case: .*Not a regular file"
        ):
            command_case.load(path)

    def test_what_is_observed_needs_no_log_and_has_phases(self) -> None:
        lines = [
            line for line in _CASE.splitlines() if not line.startswith("log")
        ]
        text = "\n".join(lines).replace("SIGKILL", "SIGKILL phase: BACKWARD")
        case = self.load(f"{text}\nobserve: true")
        self.assertEqual(case.interruption[0].phase, case_pb2.BACKWARD)
        with self.assertRaisesRegex(errors.CaseError, "or observe: true"):
            self.load(text)

    def test_takes_another_command(self) -> None:
        case = self.load(_CASE, "/bin/sh", "{job}")
        self.assertEqual(list(case.command), ["/bin/sh", "{job}"])

    def test_fills_in_places(self) -> None:
        case = command_case.fill_in(
            self.load(_CASE), {command_case.JOB: "/w/job"}
        )
        self.assertEqual(case.command[2], "--out=/w/job")
        self.assertEqual(case.environment["OUT"], "/w/job/out")

    @parameterized.parameters(
        ('name: "mine"', 'name: "his"', 'name is "his", expected "mine"'),
        (
            "/bin/sh",
            "no_such_program",
            'command begins with "no_such_program", expected a program that',
        ),
        ("{job}", "out", "command and environment do not name {job}"),
        ("ranks: 2", "", "ranks is 0, expected 1 to 256"),
        ("<iteration>", "<step>", "has no group that is named iteration"),
        ("<iteration>", "<epoch>", "only if iterations_per_epoch is set"),
        (
            "ranks: 2",
            "ranks: 2 iterations_per_epoch: -1",
            "iterations_per_epoch is -1, expected a number of iterations",
        ),
        (r"(?P<loss>\\S+)", "(", "is no regular expression"),
        ('"ckpt-*"', '"/out/ckpt-*"', "expected a path within the job's"),
        ('"ckpt-*"', '"../ckpt"', "expected a path within the job's"),
        ("iteration: 5", "", "interruption[0].iteration is 0, expected one"),
        ("SIGKILL", "SIGSTOP", "SIGSTOP, expected SIGKILL or SIGTERM"),
        (
            "SIGKILL",
            "SIGKILL phase: FORWARD",
            "phase is FORWARD, expected none",
        ),
        ("SIGKILL", "SIGKILL ranks: 1", "ranks is set, expected none"),
        ("SIGKILL", "SIGKILL graceful: true", "expected only with SIGTERM"),
        ("step_seconds: 7", "step_seconds: -1", "step_seconds is -1, expected"),
        ("step_seconds: 7", 'not_compared: "("', "is no regular expression"),
        ("step_seconds: 7", "steps: 7", 'no field named "steps"'),
    )
    def test_says_what_is_wrong(self, right, wrong, said) -> None:
        with self.assertRaises(errors.CaseError) as raised:
            self.load(_CASE.replace(right, wrong))
        self.assertIn(said, str(raised.exception))
        self.assertLen(str(raised.exception).splitlines(), 1)

    def test_a_log_may_count_epochs(self) -> None:
        text = _CASE.replace("<iteration>", "<epoch>")
        case = self.load(f"{text}\niterations_per_epoch: 24")
        self.assertEqual(case.iterations_per_epoch, 24)

    def test_a_case_needs_an_interruption(self) -> None:
        text = _CASE.replace(
            "interruption { iteration: 5 signal: SIGKILL }", ""
        )
        with self.assertRaisesRegex(errors.CaseError, "expected at least one"):
            self.load(text)

    def test_a_missing_file_is_named(self) -> None:
        path = pathlib.Path(self.create_tempdir().full_path, "no.textproto")
        with self.assertRaisesRegex(errors.CaseError, "No such file"):
            command_case.load(path)


if __name__ == "__main__":
    absltest.main()
