"""Measures the resume test beside the same job under torchrun.

    tools/bazelw run //tools/bench

prints, for each of `--repeats` rounds in which the two take turns, wall and CPU
time, then where the time goes, and how long a cached `bazel test` takes.
"""

import os
import pathlib
import statistics
import subprocess
import time
from collections.abc import Sequence

from absl import app, flags

from regress import errors
from regress.run import run_pb2
from tools.bench import measured_run, phases, torchrun_job

_CASE = flags.DEFINE_string(
    "case", measured_run.FLAGSHIP, "Path of the case's textproto."
)
_REPEATS = flags.DEFINE_integer("repeats", 3, "Rounds.", 1)
_TARGET = flags.DEFINE_string(
    "target",
    "//regress:gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_test",
    "The test whose cached run is timed.",
)


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Runs all measurements and prints them. Returns 0."""
    del argv
    path = pathlib.Path(_CASE.value)
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    records: list[run_pb2.RunRecord] = []
    for round_ in range(_REPEATS.value):
        record, times = measured_run.run_test(path)
        records.append(record)
        ours.append(times)
        theirs.append(
            measured_run.timed(
                lambda files: torchrun_job.run(
                    measured_run.scenario(path, files)
                )
            )
        )
        print(f"round {round_}: resume test", _times(ours[-1]))
        print(f"round {round_}: torchrun   ", _times(theirs[-1]), flush=True)
    _print_ratio("wall", ours, theirs, 0)
    _print_ratio("CPU", ours, theirs, 1)
    _print_phases(records[-1])
    _print_cached()
    return 0


def _times(measured: tuple[float, float]) -> str:
    return f"{measured[0]:6.1f} s wall {measured[1]:6.1f} s CPU"


def _print_ratio(
    name: str,
    ours: list[tuple[float, float]],
    theirs: list[tuple[float, float]],
    index: int,
) -> None:
    ratios = [a[index] / b[index] for a, b in zip(ours, theirs, strict=True)]
    print(
        f"{name}: {statistics.median(ratios):.2f} of torchrun's"
        f" (each round: {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
    )


def _print_phases(record: run_pb2.RunRecord) -> None:
    found = phases.seconds_by_phase(record)
    print("seconds by phase, of both attempts:")
    for name, seconds in sorted(found.items(), key=lambda item: -item[1]):
        print(f"  {name:9} {seconds:7.2f}  {phases.share(found, name):6.1%}")
    steps = phases.step_seconds(record)
    print(f"step: median {statistics.median(steps):.3f} s of {len(steps)}")


def _print_cached() -> None:
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if workspace is None:
        print("cached test: not timed, as this was not started by Bazel")
        return
    command = [f"{workspace}/tools/bazelw", "test", _TARGET.value]
    for _ in range(2):
        started = time.monotonic()
        subprocess.run(command, cwd=workspace, check=True, capture_output=True)
    print(f"cached test: {time.monotonic() - started:.2f} s")


if __name__ == "__main__":
    app.run(main)
