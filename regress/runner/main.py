"""The test's main program: runs the scenario, judges it and reports.

Exit status: 0 for a pass, 1 for any other verdict, 2 if there is no verdict.
"""

import contextlib
import importlib
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent import futures

from absl import app, flags

from regress import errors, terminal
from regress.golden import golden_pb2
from regress.oracle import judge, observations, verdict_pb2
from regress.report import console, next_steps, xml
from regress.run import attempt_end, run_pb2
from regress.runner import advice, selection
from regress.runner import candidate_golden as candidate_golden_lib
from regress.runner import environment as environment_lib
from regress.runner import progress as progress_lib
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import cancellation, watchdog
from regress.supervisor import errors as supervisor_errors

_CASE = flags.DEFINE_string(
    "case", None, "Path of the case's textproto.", required=True
)
_GOLDEN = flags.DEFINE_string(
    "golden",
    None,
    "Path of the golden record's textproto; without one, or with an empty one, "
    "proof of resume, state and replay judge alone.",
)
_HARDWARE = flags.DEFINE_string(
    "hardware", "none", "The declared hardware: `none`, `nvidia_h200`, ..."
)
_CHANNEL = flags.DEFINE_string("channel", "dev", "The golden's channel.")
_LAUNCHER = flags.DEFINE_enum(
    "launcher", "zygote", launchers.NAMES, "How ranks are started."
)
_TRAINER = flags.DEFINE_string(
    "trainer",
    launchers.TRAINER,
    "The module that each rank runs; regress/trainer/main.py shows its flags "
    "and what it must do.",
)
_TRAINER_FLAGS = flags.DEFINE_multi_string(
    "trainer_flag", [], "An additional flag for every rank; may be repeated."
)
_START_SECONDS = flags.DEFINE_float(
    "start_seconds", 180, "A rank not ready after this time counts as hung.", 0
)
_STEP_SECONDS = flags.DEFINE_float(
    "step_seconds", 60, "A job silent for this long counts as hung.", 0
)

_NO_VERDICT = 2
# Renders the HTML report. An image may lack the packages that it imports.
_REPORT = "regress.report.html.page"


@errors.ends_with(_NO_VERDICT)
def main(argv: Sequence[str]) -> int:
    """Runs the test. Returns its exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    selected = selection.select(
        case_path=pathlib.Path(_CASE.value),
        golden_path=pathlib.Path(_GOLDEN.value) if _GOLDEN.value else None,
        hardware=_HARDWARE.value,
        channel=_CHANNEL.value,
    )
    terminal.show(selected.describe(_LAUNCHER.value))
    with _directories() as files, _importing_report(files):
        environment = environment_lib.TestEnvironment.from_variables(
            os.environ,
            files.outputs,
            selected.hardware,
            sys.orig_argv,
            selected.channel,
        )
        try:
            record, verdict, candidate = _run(
                selected,
                files,
                observations.DeclaredTarget(
                    hardware=selected.hardware,
                    channel=selected.channel,
                ),
            )
        except cancellation.Cancelled as cancelled:
            _print_partial_record(cancelled, selected, files)
            return _NO_VERDICT
        except supervisor_errors.UnreapedError as error:
            terminal.tell(error)
            sys.stdout.flush()
            # Leaving `_directories` would delete files, perhaps of the file
            # system that the process waits for.
            os._exit(_NO_VERDICT)
        _keep(files.outputs, record, verdict)
        following = advice.after(
            verdict,
            selected,
            environment,
            candidate,
            contents=[one.name for one in files.outputs.iterdir()],
        )
        terminal.show(console.render(verdict, following))
        _draw(files, record, verdict, selected.golden, following)
    return int(verdict.conclusion != verdict_pb2.Verdict.PASS)


@contextlib.contextmanager
def _directories() -> Iterator[job_files.JobFiles]:
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


@contextlib.contextmanager
def _importing_report(files: job_files.JobFiles) -> Iterator[None]:
    """Imports the report's renderer while the ranks train.

    Importing matplotlib takes one to three seconds, and this process is idle.
    """
    # matplotlib caches a list of fonts, by default in the home directory.
    os.environ.setdefault("MPLCONFIGDIR", str(files.temporary))
    with futures.ThreadPoolExecutor(max_workers=1) as beside:
        # `_draw` imports it again and reports a failure.
        beside.submit(importlib.import_module, _REPORT)
        yield


def _scenario(
    selected: selection.Selection, files: job_files.JobFiles
) -> scenario_lib.Scenario:
    return scenario_lib.Scenario(
        case=selected.case,
        hardware=selected.hardware,
        files=files,
        bounds=watchdog.Bounds(_START_SECONDS.value, _STEP_SECONDS.value),
        trainer_flags=_TRAINER_FLAGS.value,
    )


def _run(
    selected: selection.Selection,
    files: job_files.JobFiles,
    target: observations.DeclaredTarget,
) -> tuple[
    run_pb2.RunRecord,
    verdict_pb2.Verdict,
    candidate_golden_lib.Candidate | None,
]:
    """Runs the scenario and judges it, with a repeat if the verdict needs it.

    The second verdict replaces the first. It cannot be a pass, since a repeat
    adds checks and removes none. If only the golden may be wrong, one more run
    makes a candidate to replace it.
    """

    def verdict_of(record: run_pb2.RunRecord) -> verdict_pb2.Verdict:
        return judge.judge(selected.case, record, selected.golden, target)

    scenario = _scenario(selected, files)
    progress = progress_lib.ProgressPrinter(selected.case, sys.stdout)
    progress.say(f"starting the {_LAUNCHER.value} launcher")
    with launchers.make(_LAUNCHER.value, scenario, _TRAINER.value) as launcher:
        progress.say("attempt 0: starting the ranks")
        record = scenario.run_resumed(launcher, progress)
        progress.say("the ranks have ended; judging")
        verdict = verdict_of(record)
        if verdict.HasField("repeat_through"):
            through = verdict.repeat_through
            progress.say(
                f"repeating attempt 0 through iteration {through}, as numbers "
                "differ and the loaded state does not explain it: the repeat "
                "shows whether training is deterministic"
            )
            scenario.repeat(
                record,
                launcher,
                through,
                progress.of_another("the repeat of attempt 0"),
            )
            progress.say("the repeat has ended; judging again")
            verdict = verdict_of(record)
        candidate = None
        if candidate_golden_lib.is_meaningful(verdict, selected.golden):
            progress.say(
                "running once uninterrupted, to make a candidate golden from "
                "the current numbers"
            )
            try:
                candidate = candidate_golden_lib.make(
                    record,
                    scenario,
                    launcher,
                    progress.of_another("the uninterrupted run"),
                    selected.channel,
                )
            except cancellation.Cancelled as cancelled:
                # Keep the verdict even if time runs out now.
                candidate = candidate_golden_lib.Candidate(
                    why_not=attempt_end.describe(cancelled.attempt.end).rstrip(
                        "."
                    )
                )
    return record, verdict, candidate


def _print_partial_record(
    cancelled: cancellation.Cancelled,
    selected: selection.Selection,
    files: job_files.JobFiles,
) -> None:
    """Prints and writes what is known. Bazel allows 15 seconds for this."""
    terminal.tell(attempt_end.describe(cancelled.attempt.end))
    record = _scenario(selected, files).partial_record()
    terminal.tell(progress_lib.describe(record, files))
    path = files.outputs / "run_record.binpb"
    path.write_bytes(record.SerializeToString())


def _keep(
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


def _draw(
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


if __name__ == "__main__":
    app.run(main)
