"""Tests whether Megatron-LM's own pretrain_gpt.py resumes exactly, on GPUs.

    python3 resume.bundle --hardware=nvidia_h100 --megatron_lm=CHECKOUT

The checkout is unmodified. Its program trains what the case says, under
torchrun, and is interrupted, resumed and judged as any command is: by what it
prints, and by the checkpoint that it leaves. The exit status is that of
`regress.command`.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from absl import app, flags

from regress import errors
from regress.case import command_case, load
from regress.supervisor import python_process
from tools.megatron_lm import command, flow

_CASE = "gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr"

_MEGATRON_LM = flags.DEFINE_string(
    "megatron_lm", None, "Path of a checkout of Megatron-LM.", required=True
)
_HARDWARE = flags.DEFINE_string(
    "hardware", None, "The GPU, as `nvidia_h100`.", required=True
)
_CASE_FILE = flags.DEFINE_string(
    "case", f"testdata/cases/{_CASE}.textproto", "Path of the case's textproto."
)


@errors.ends_with(2)
def main(argv: Sequence[str]) -> int:
    """Runs the test. Returns its exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    case = load.load(pathlib.Path(_CASE_FILE.value))
    with (
        tempfile.TemporaryDirectory() as folder,
        flow.on_gpus(
            _MEGATRON_LM.value,
            case,
            _HARDWARE.value,
            # Each run has a job of its own.
            folder=pathlib.Path(command_case.JOB),
            logs=pathlib.Path(folder),
        ) as job,
    ):
        case_of_command = command.of(job)
        path = pathlib.Path(folder, f"{case_of_command.name}.textproto")
        path.write_text(str(case_of_command))
        return subprocess.run(
            [sys.executable, "-P", "-m", "regress.command", f"--case={path}"],
            check=False,
            env={**os.environ, "PYTHONPATH": python_process.search_path()},
        ).returncode


if __name__ == "__main__":
    app.run(main)
