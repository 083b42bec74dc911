"""Measures the resume test beside Megatron-LM's own flow, on a host with GPUs.

    python3 upstream.bundle --hardware=nvidia_h100 --megatron_lm=CHECKOUT

Both train the same case on the same corpus, with the same settings of NCCL and
through MPS where ranks share a GPU. They take turns. The test is measured from
its start to its report.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from absl import app, flags

from regress import errors
from regress.case import load
from regress.supervisor import python_process
from tools.megatron_lm import flow

# Of a log, in characters: torchrun's own report ends it.
_SHOWN = 20_000

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
_GOLDEN = flags.DEFINE_string(
    "golden", "", "Path of the golden; without one, the test needs none."
)
_ROUNDS = flags.DEFINE_integer("rounds", 1, "Of both.", 1)
_MEGATRON_LM_FLAGS = flags.DEFINE_multi_string(
    "megatron_lm_flag", [], "One more for it, as `--cuda-graph-impl=local`."
)


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Measures, and prints a line for each run. Returns 0."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    for round_ in range(_ROUNDS.value):
        with tempfile.TemporaryDirectory() as folder:
            theirs = _run_megatron_lm(pathlib.Path(folder))
        print(
            f"round {round_}: Megatron-LM {theirs.whole:6.1f} s: "
            f"{theirs.first:.1f} s, and resumed {theirs.resumed:.1f} s",
            flush=True,
        )
        ours = _run_test()
        print(
            f"round {round_}: resume test {ours:6.1f} s, "
            f"{ours / theirs.whole:.2f} of it",
            flush=True,
        )
    return 0


def _run_megatron_lm(folder: pathlib.Path) -> flow.Seconds:
    case = load.load(pathlib.Path(_CASE_FILE.value))
    with (
        _kept_logs(folder),
        flow.on_gpus(
            _MEGATRON_LM.value,
            case,
            _HARDWARE.value,
            folder=folder,
            logs=folder,
            more_arguments=_MEGATRON_LM_FLAGS.value,
        ) as theirs,
    ):
        return theirs.run()


@contextlib.contextmanager
def _kept_logs(folder: pathlib.Path) -> Iterator[None]:
    """Shows the end of the last log if the block fails."""
    try:
        yield
    except flow.MegatronLMError:
        logs = sorted(folder.glob("*.log"), key=lambda log: log.stat().st_mtime)
        for log in logs[-1:]:
            sys.stderr.write(log.read_text(errors="replace")[-_SHOWN:])
        raise


def _run_test() -> float:
    started = time.monotonic()
    status = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "regress.runner.main"),
            f"--case={_CASE_FILE.value}",
            f"--golden={_GOLDEN.value}",
            f"--hardware={_HARDWARE.value}",
            "--launcher=exec",
        ],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": python_process.search_path()},
    )
    if status.returncode:
        sys.exit(f"The resume test did not pass:\n{status.stdout[-4000:]}")
    return time.monotonic() - started


if __name__ == "__main__":
    app.run(main)
