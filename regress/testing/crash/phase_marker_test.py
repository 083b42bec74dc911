"""Tests for phase markers, including one of a killed process."""

import os
import pathlib
import signal
import subprocess
import sys

from absl.testing import absltest

from regress.testing.crash import phase_marker

_KILLED = """
import os, pathlib, signal, sys
from regress.testing.crash import phase_marker
mine = phase_marker.PhaseMarker(pathlib.Path(sys.argv[1]))
mine.set("outer")
with mine.at("inner"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


class PhaseMarkerTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._path = pathlib.Path(self.create_tempdir().full_path) / "phase"

    def test_no_mark_is_none(self) -> None:
        self.assertEqual(phase_marker.read(self._path), "")
        phase_marker.PhaseMarker(self._path)
        self.assertEqual(phase_marker.read(self._path), "")

    def test_the_innermost_counts(self) -> None:
        mine = phase_marker.PhaseMarker(self._path)
        mine.set("outer")
        with mine.at("inner"):
            self.assertEqual(phase_marker.read(self._path), "inner")
        self.assertEqual(phase_marker.read(self._path), "outer")

    def test_a_killed_process_leaves_its_mark(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        killed = subprocess.run(
            [sys.executable, "-P", "-c", _KILLED, str(self._path)],
            env=environment,
            check=False,
        )
        self.assertEqual(killed.returncode, -signal.SIGKILL)
        self.assertEqual(phase_marker.read(self._path), "inner")


if __name__ == "__main__":
    absltest.main()
