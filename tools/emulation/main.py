"""Shows that an older CPU computes the golden's bits.

    tools/bazelw run //tools/emulation

trains the first iterations of the CPU case on an emulated Intel Haswell, which
has AVX2 and nothing newer, and compares every metric of every rank with the
golden. It needs qemu-x86_64 (Debian: apt-get install qemu-user) and takes
minutes, because emulated ranks are some hundred times slower.
"""

import pathlib
import shutil
import sys
import tempfile
from collections.abc import Sequence

from absl import app, flags

from regress import terminal
from regress.case import load
from regress.golden import files, series
from regress.run import attempt_end, run_pb2
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import exec_launcher, watchdog
from tools.emulation import first_steps

_NAME = "gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_cpu"
_CASE = flags.DEFINE_string(
    "case",
    f"testdata/cases/{_NAME}.textproto",
    "Path of the case's textproto.",
)
_GOLDEN = flags.DEFINE_string(
    "golden",
    f"testdata/golden/{_NAME}/dev_none.textproto",
    "Path of the golden record's textproto.",
)
_ITERATIONS = flags.DEFINE_integer(
    "iterations", 3, "How many iterations to compare.", 1
)
_CPU = flags.DEFINE_string("cpu", "Haswell", "A CPU that qemu knows.")


def main(argv: Sequence[str]) -> int:
    """Trains and compares. Returns 0 if all bits are the golden's."""
    del argv
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        print(
            "There is no qemu-x86_64 on the PATH; on Debian run"
            " `apt-get install qemu-user`.",
            file=sys.stderr,
        )
        return 1
    golden = series.unfold(files.read(pathlib.Path(_GOLDEN.value)).series)
    with tempfile.TemporaryDirectory() as own:
        attempt = _train(pathlib.Path(own), [emulator, "-cpu", _CPU.value])
    if not attempt.HasField("interruption"):
        terminal.tell(attempt_end.describe(attempt.end))
        return 1
    found = first_steps.compare(attempt, golden, _ITERATIONS.value)
    print(
        f"{_CPU.value}: {found.compared} values of iterations 1 to"
        f" {_ITERATIONS.value} compared, {len(found.differing)} differ"
    )
    for difference in found.differing[:10]:
        print(f"  {difference}")
    return int(bool(found.differing) or not found.compared)


def _train(work: pathlib.Path, interpreter: list[str]) -> run_pb2.Attempt:
    scenario = scenario_lib.Scenario(
        case=load.load(pathlib.Path(_CASE.value)),
        hardware="none",
        files=job_files.JobFiles(work, work / "outputs"),
        bounds=watchdog.Bounds(start_seconds=1800, step_seconds=1800),
    )
    launcher = exec_launcher.ExecLauncher(
        launchers.TRAINER, [*interpreter, sys.executable]
    )
    record = run_pb2.RunRecord()
    scenario.repeat(record, launcher, _ITERATIONS.value, _print_progress)
    return record.repeat


def _print_progress(
    attempt: int, rank: int, progress: run_pb2.Progress
) -> None:
    del attempt
    if progress.text:
        print(f"rank {rank}, iteration {progress.iteration}: {progress.text}")


if __name__ == "__main__":
    app.run(main)
