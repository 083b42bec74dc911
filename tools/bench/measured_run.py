"""A resume test, run and timed as a whole."""

import pathlib
import resource
import tempfile
import time
from collections.abc import Callable

from regress.case import load
from regress.run import run_pb2
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import watchdog

# The main test's case on a CPU.
FLAGSHIP = (
    "testdata/cases/gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_cpu"
    ".textproto"
)

# Wall and CPU time, in seconds.
Times = tuple[float, float]


def scenario(
    case: pathlib.Path, files: job_files.JobFiles
) -> scenario_lib.Scenario:
    """Returns the scenario of a case on a CPU."""
    return scenario_lib.Scenario(
        case=load.load(case),
        hardware="none",
        files=files,
        bounds=watchdog.Bounds(start_seconds=180, step_seconds=60),
    )


def run_test(case: pathlib.Path) -> tuple[run_pb2.RunRecord, Times]:
    """Runs all of a resume test but the verdict, in new directories.

    Returns:
        The run record, and the times with the zygote's.
    """
    records = []

    def run(files: job_files.JobFiles) -> None:
        own = scenario(case, files)
        with launchers.make("zygote", own) as launcher:
            records.append(own.run_resumed(launcher, lambda *unused: None))

    times = timed(run)
    return records[0], times


def timed(run: Callable[[job_files.JobFiles], None]) -> Times:
    """Returns the times of a run in new directories."""
    with tempfile.TemporaryDirectory() as own:
        work = pathlib.Path(own)
        cpu, wall = _children_cpu(), time.monotonic()
        run(job_files.JobFiles(work, work / "outputs"))
        return time.monotonic() - wall, _children_cpu() - cpu


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
