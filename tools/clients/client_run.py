"""Runs a case of a client as its user would, and checks the verdict."""

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from google.protobuf import text_format

from regress.oracle import verdict_pb2
from regress.report import wording
from regress.run import run_pb2
from regress.testing import depths
from tools.clients import clients

_Verdict = verdict_pb2.Verdict
_NO_VERDICT = 2


class NoVerdictError(Exception):
    """The program came to no verdict; the message has what it printed."""


def run(case: str) -> verdict_pb2.Verdict:
    """Returns the verdict on a case.

    Args:
        case: The path of its textproto; the working directory is the workspace.

    Raises:
        NoVerdictError: There is none.
    """
    with tempfile.TemporaryDirectory() as outputs:
        _run(case, outputs)
        text = pathlib.Path(outputs, "verdict.textproto").read_text()
        return text_format.Parse(text, verdict_pb2.Verdict())


def run_observed(case: str) -> dict[int, verdict_pb2.Verdict]:
    """Returns the verdicts on a case at depths 1 and 2, from one run of it.

    That a second uninterrupted run is as the first is not seen if the hooks
    tell as much.

    Args:
        case: As in `run`.

    Raises:
        NoVerdictError: There is none.
    """
    with tempfile.TemporaryDirectory() as outputs:
        observed = pathlib.Path(outputs, pathlib.Path(case).name)
        text = pathlib.Path(case).read_text()
        observed.write_text(f"{text}observe: true\n")
        _run(str(observed), outputs)
        record = pathlib.Path(outputs, "run_record.binpb").read_bytes()
        return depths.verdicts(run_pb2.RunRecord.FromString(record))


def _run(case: str, outputs: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "regress.command", f"--case={case}"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TEST_UNDECLARED_OUTPUTS_DIR": outputs,
            # These are meant for this process.
            "XML_OUTPUT_FILE": "",
            "BUILD_WORKING_DIRECTORY": ".",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    path = pathlib.Path(outputs, "verdict.textproto")
    if ran.returncode == _NO_VERDICT or not path.exists():
        raise NoVerdictError(f"{case}: {ran.stdout}")


def mismatches(
    row: clients.Row, verdict: verdict_pb2.Verdict, depth: int = 1
) -> Iterator[str]:
    """Yields what about a verdict is not as a row says.

    Args:
        row: What is known of the case.
        verdict: The verdict on it.
        depth: At which depth, 1 or 2.
    """
    if verdict.conclusion in row.by_chance:
        return
    wanted, actual = map(
        _Verdict.Conclusion.Name, (row.conclusion, verdict.conclusion)
    )
    if wanted != actual:
        yield f"verdict: expected {wanted}, actual {actual}"
        return
    if row.conclusion == _Verdict.PASS:
        return
    first = verdict.outline.resume_iteration[0]
    if row.at_once and verdict.first_bad_iteration != first:
        yield (
            f"first bad iteration: expected {first}, the first of the resume, "
            f"actual {verdict.first_bad_iteration}"
        )
    if depth > 1:
        found = wording.subject(verdict.findings[0])
        if found != row.first:
            yield f"first finding: expected {row.first}, actual {found}"
        return
    unnamed = tuple(
        clue.not_in_checkpoint
        for clue in verdict.clues
        if clue.not_in_checkpoint
    )
    if unnamed != row.unnamed:
        wanted, actual = (
            ", ".join(map(verdict_pb2.Clue.StateKind.Name, kinds)) or "none"
            for kinds in (row.unnamed, unnamed)
        )
        yield f"not in the checkpoint: expected {wanted}, actual {actual}"
