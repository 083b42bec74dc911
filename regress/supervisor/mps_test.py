"""Tests for running an MPS server, with a stand-in for NVIDIA's program."""

import os
import pathlib
import subprocess
import sys
from unittest import mock

from absl.testing import absltest

from regress.supervisor import errors, linux, mps


class MpsTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        program = self.folder / mps.PROGRAM
        program.write_text(
            f"#!/bin/sh\nPYTHONPATH={os.pathsep.join(sys.path)} exec "
            f'{sys.executable} -m {mps.__name__}_test_helper "$@"\n'
        )
        program.chmod(0o755)
        self.enter_context(
            mock.patch.dict(
                os.environ,
                {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"},
            )
        )
        self.before = linux.children()

    def processes(self) -> list[int]:
        """Returns the pids of the daemon and its server, from their log."""
        log = (self.folder / "control.log").read_text()
        return [int(pid) for pid in log.splitlines()[0].split()]

    def assert_nothing_is_left(self, environment: dict[str, str]) -> None:
        self.assertFalse(pathlib.Path(environment[mps.PIPES]).exists())
        self.assertEqual(linux.children(), self.before)
        for pid in self.processes():
            self.assertTrue(_is_gone(pid), pid)

    def test_serves_while_the_context_lasts(self) -> None:
        with mps.server(self.folder) as environment:
            for pid in self.processes():
                self.assertFalse(_is_gone(pid))
            self.assertLen(self.processes(), 2)
        self.assert_nothing_is_left(environment)
        self.assertIn(
            "quit", (self.folder / "control.log").read_text().splitlines()[-1]
        )

    def test_ends_when_its_user_fails(self) -> None:
        with (
            self.assertRaises(LookupError),
            mps.server(self.folder) as environment,
        ):
            raise LookupError
        self.assert_nothing_is_left(environment)

    def test_ends_by_force_if_it_does_not_listen(self) -> None:
        os.environ["REGRESS_MPS"] = "deaf"
        with (
            mock.patch.object(mps, "_SECONDS", 1),
            mps.server(self.folder) as environment,
        ):
            pass
        self.assert_nothing_is_left(environment)

    def test_dies_with_the_process_that_started_it(self) -> None:
        # It prints a line once the server runs; then the test kills it.
        user = (
            "import pathlib, sys, signal\n"
            "from regress.supervisor import mps\n"
            "with mps.server(pathlib.Path(sys.argv[1])):\n"
            "    print(flush=True)\n"
            "    signal.pause()\n"
        )
        with linux.child_subreaper():
            process = subprocess.Popen(
                [sys.executable, "-c", user, str(self.folder)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=subprocess.PIPE,
            )
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()
            process.communicate()
            # Its orphans are now children of the test, and theirs are once they
            # have ended. A process that did not end would hang the test here.
            while orphans := linux.children() - self.before:
                os.waitpid(orphans.pop(), 0)
        for pid in self.processes():
            self.assertTrue(_is_gone(pid), pid)

    def test_says_so_if_the_program_fails(self) -> None:
        os.environ["REGRESS_MPS"] = "ends"
        with (
            self.assertRaisesRegex(
                errors.SupervisorError, "ended with status 7 before it served"
            ),
            mps.server(self.folder),
        ):
            self.fail("It has started.")
        self.assertEqual(linux.children(), self.before)

    def test_is_available_only_with_the_program(self) -> None:
        self.assertTrue(mps.is_available())
        with mock.patch.dict(os.environ, {"PATH": "/nonexistent"}):
            self.assertFalse(mps.is_available())


def _is_gone(pid: int) -> bool:
    try:
        return linux.process_state(pid) == "Z"
    except FileNotFoundError:
        return True


if __name__ == "__main__":
    absltest.main()
