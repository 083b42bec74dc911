"""Trains a case several times, and makes its golden of the runs."""

import dataclasses
import datetime
import pathlib
import sys
import tempfile

from regress.case import load
from regress.golden import golden_pb2, record
from regress.run import run_pb2
from regress.runner import progress as progress_lib
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import watchdog

_BOUNDS = watchdog.Bounds(start_seconds=300, step_seconds=120)


class RecordError(Exception):
    """The runs cannot be made. One sentence."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be recorded.

    Attributes:
      case_path: the case's file.
      channel: `dev` or `lts`.
      hardware: what to train on.
      repeats: runs that must agree.
      launcher: how ranks are started.
      trainer: the module that is a rank.
    """

    case_path: pathlib.Path
    channel: str
    hardware: str
    repeats: int
    launcher: str
    trainer: str


def record_golden(request: Request) -> golden_pb2.Golden:
    """Trains, and returns the golden if all runs agree to the bit.

    Raises:
      CaseError: there is no such case, or it cannot be run.
      GoldenError: a run failed, or the runs differ.
      RecordError: the corpus was not built for this program.
      SupervisorError: the ranks cannot be started.
    """
    case = load.load(request.case_path)
    corpus = pathlib.Path(case.data.corpus)
    if not corpus.with_name(corpus.name + ".idx").exists():
        raise RecordError(
            f"The case's corpus {corpus} is not built into this program:"
            " <test>.record has the corpus that its resume_test names, and"
            " //tools/golden those of its own data."
        )
    runs: list[run_pb2.RunRecord] = []
    for repeat in range(request.repeats):
        with tempfile.TemporaryDirectory() as own:
            work = pathlib.Path(own)
            scenario = scenario_lib.Scenario(
                case=case,
                hardware=request.hardware,
                files=job_files.JobFiles(work, work / "outputs"),
                bounds=_BOUNDS,
            )
            progress = progress_lib.ProgressPrinter(case, sys.stdout)
            progress.say(f"run {repeat + 1} of {request.repeats}")
            # A new launcher each time: repeats share nothing.
            with launchers.make(
                request.launcher, scenario, request.trainer
            ) as launcher:
                runs.append(scenario.run_uninterrupted(launcher, progress))
    return record.golden_from_runs(
        runs,
        channel=request.channel,
        hardware=request.hardware,
        date=datetime.date.today().isoformat(),
    )
