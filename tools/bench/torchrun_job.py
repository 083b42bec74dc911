"""The same job as a person would run it: two launches by torchrun, and a kill.

What the test is measured against. torchrun starts every rank from scratch, and
who wants to interrupt it has to watch how far it is.
"""

import os
import pathlib
import subprocess
import sys
import time

from regress.run import event_stream
from regress.scenario import launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import linux, python_process

_POLL_SECONDS = 0.02


def run(scenario: scenario_lib.Scenario) -> None:
    """Trains until the case's interruption, kills, and trains to the end.

    Raises:
        RuntimeError: An attempt did not end as it should.
    """
    # torchrun puts every rank in a session of its own, where a kill of
    # torchrun's does not reach it.
    with linux.child_subreaper():
        first = _start(scenario, 0)
        _wait_for_step(
            first, scenario, scenario.case.interruption[0].iteration - 1
        )
        linux.end_children(spare=set())
    if _start(scenario, 1).wait():
        raise RuntimeError(
            "The resumed torchrun job failed; see"
            f" {scenario.files.attempt(1) / 'torchrun.log'}."
        )


def _start(
    scenario: scenario_lib.Scenario, attempt: int
) -> subprocess.Popen[bytes]:
    stages = scenario.case.parallelism.pipeline
    files = scenario.files
    # The trainer takes one event file, and here all ranks get the same flags:
    # the launcher's shell puts each rank's number in.
    rank_main = (
        f'exec "$PYTHON" -P -m {launchers.TRAINER} "$@"'
        f' --events="{files.attempt(attempt)}/rank_$RANK.events"'
    )
    with open(files.attempt(attempt) / "torchrun.log", "wb") as log:
        return subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "torch.distributed.run",
                f"--nproc-per-node={stages}",
                "--standalone",
                "--local-addr=localhost",
                "--no-python",
                "/bin/sh",
                "-c",
                rank_main,
                "sh",
                *scenario.preload_argv(),
                f"--case={scenario.write_case()}",
                f"--corpus={scenario.corpus}",
                f"--checkpoints={files.checkpoints}",
                f"--data_cache={files.data_cache}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "PYTHON": sys.executable,
                "PYTHONPATH": python_process.search_path(),
            },
        )


def _wait_for_step(
    job: subprocess.Popen[bytes],
    scenario: scenario_lib.Scenario,
    iteration: int,
) -> None:
    last_rank = scenario.case.parallelism.pipeline - 1
    events = scenario.files.events(0, last_rank)
    while not _has_step(events, iteration):
        if job.poll() is not None:
            raise RuntimeError(
                f"torchrun ended before iteration {iteration}; see"
                f" {scenario.files.attempt(0) / 'torchrun.log'}."
            )
        time.sleep(_POLL_SECONDS)


def _has_step(path: pathlib.Path, iteration: int) -> bool:
    if not path.exists():
        return False
    events, _ = event_stream.read(path)
    return any(event.step.iteration >= iteration for event in events)
