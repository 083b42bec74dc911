"""Tests that a script which forgets a part of its state is found out."""

import os
import pathlib
import subprocess
import sys
import tempfile

from absl.testing import absltest
from google.protobuf import text_format

from regress.oracle import verdict_pb2


class ForgetfulTest(absltest.TestCase):
    def test_names_what_is_forgotten(self) -> None:
        outputs = self.enter_context(tempfile.TemporaryDirectory())
        case = "examples/torchrun/forgetful.textproto"
        run = subprocess.run(
            [sys.executable, "-P", "-m", "regress.command", f"--case={case}"],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "TEST_UNDECLARED_OUTPUTS_DIR": outputs,
                "XML_OUTPUT_FILE": "",
            },
            capture_output=True,
            text=True,
        )
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        verdict = text_format.Parse(
            pathlib.Path(outputs, "verdict.textproto").read_text(),
            verdict_pb2.Verdict(),
        )
        self.assertEqual(
            verdict.conclusion, verdict_pb2.Verdict.RESUME_DIVERGENCE
        )
        (first,) = verdict.outline.resume_iteration
        self.assertEqual(verdict.first_bad_iteration, first)
        self.assertEqual(verdict.findings[0].metric.name, "loss")
        self.assertEqual(
            [
                clue.not_in_checkpoint
                for clue in verdict.clues
                if clue.not_in_checkpoint
            ],
            [verdict_pb2.Clue.DATA_POSITION],
        )
        # The rates do not depend on it.
        self.assertNotIn("lr", [one.metric.name for one in verdict.findings])


if __name__ == "__main__":
    absltest.main()
