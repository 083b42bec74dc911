"""The folders of a test, and what it leaves in them."""

import contextlib
import importlib
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator
from concurrent import futures
from typing import NoReturn

from regress import terminal
from regress.golden import golden_pb2
from regress.oracle import verdict_pb2
from regress.report import next_steps, xml
from regress.run import run_pb2
from regress.scenario import job_files

# Renders the HTML report. An image may lack the packages that it imports.
_REPORT = "regress.report.html.page"


@contextlib.contextmanager
def directories() -> Iterator[job_files.JobFiles]:
    """Yields the test's directories; only the outputs remain afterwards.

    Without Bazel, the outputs go to a new temporary directory.
    """
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as own:
        work = pathlib.Path(own)
        outputs = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR")
        yield job_files.JobFiles(
            work=work,
            outputs=pathlib.Path(
                outputs or tempfile.mkdtemp(prefix="regress_outputs_")
            ),
        )


def end_at_once(reason: Exception, status: int) -> NoReturn:
    """Ends the program with a sentence, and without leaving `directories`.

    That would delete files, perhaps of the file system that a process which
    cannot be reaped waits for.
    """
    terminal.tell(reason)
    sys.stdout.flush()
    os._exit(status)


@contextlib.contextmanager
def importing_report(files: job_files.JobFiles) -> Iterator[None]:
    """Imports the report's renderer while the ranks train.

    Importing matplotlib takes one to three seconds, and this process is idle.
    """
    # matplotlib caches a list of fonts, by default in the home directory.
    os.environ.setdefault("MPLCONFIGDIR", str(files.temporary))
    with futures.ThreadPoolExecutor(max_workers=1) as beside:
        # `draw` imports it again and reports a failure.
        beside.submit(importlib.import_module, _REPORT)
        yield


def keep(
    outputs: pathlib.Path,
    record: run_pb2.RunRecord,
    verdict: verdict_pb2.Verdict,
) -> None:
    """Writes the run record, the verdict and the JUnit XML."""
    (outputs / "run_record.binpb").write_bytes(record.SerializeToString())
    (outputs / "verdict.textproto").write_text(str(verdict))
    xml_path = os.environ.get("XML_OUTPUT_FILE")
    if xml_path:
        pathlib.Path(xml_path).write_text(xml.render(verdict))


def draw(
    files: job_files.JobFiles,
    record: run_pb2.RunRecord,
    verdict: verdict_pb2.Verdict,
    golden: golden_pb2.Golden | None,
    following: next_steps.NextSteps | None,
) -> None:
    """Writes the HTML report. Call it last: nothing depends on the report."""
    report = files.outputs / "report.html"
    try:
        page = importlib.import_module(_REPORT)
        beside = [
            path.relative_to(files.outputs).as_posix()
            for path in files.outputs.rglob("*")
            if path.is_file()
        ]
        text = page.render(verdict, record, golden, following, beside)
        report.write_text(text, encoding="utf-8")
    except (ImportError, OSError) as error:
        # The verdict stands even if the disk is full, or if the image has the
        # packages for training but not those for the report.
        terminal.tell(f"{report}: no report: {error}")
