"""Measures what `observe: true` costs a training step, and a save.

    tools/bazelw run //tools/bench:observing

Two jobs train the same model with DistributedDataParallel, one with hooks and
one without. They take turns of a few steps, so that the load of others falls on
both. A ratio is that of a turn and the turn before it. On a host with GPUs and
no Bazel, which has a GPU for each rank:

    tools/bazelw build //tools/bench:observing.bundle
    python3 observing.bundle --device=cuda --ranks=1 --widths=1024
"""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from absl import app, flags

from regress import errors
from regress.client import channel
from regress.supervisor import python_process

_WIDTHS = flags.DEFINE_list(
    "widths", ["128", "256"], "How wide the models are; each is measured."
)
_ROUNDS = flags.DEFINE_integer("rounds", 20, "Turns of each job.", 2)
_STEPS = flags.DEFINE_integer("steps", 3, "Of a turn.", 1)
_SAVES = flags.DEFINE_integer("saves", 5, "Of each job.", 1)

_RANKS = flags.DEFINE_integer("ranks", 2, "Of each job.", 1)
_DEVICE = flags.DEFINE_enum("device", "cpu", ["cpu", "cuda"], "Of each rank.")

_WARM_UP = 3

_Measured = dict[str, float]


class _Job:
    """The ranks of a job, which wait until they are asked."""

    def __init__(self, folder: pathlib.Path, width: int, hooks: bool) -> None:
        """Starts them.

        Args:
            folder: An empty folder.
            width: The width of the model.
            hooks: Whether they are observed.
        """
        self._ranks = []
        search = python_process.search_path()
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if hooks:
            os.mkfifo(folder / channel.REACHED)
            # Linux lets a pipe be opened for both, without waiting.
            self._reached = os.open(
                folder / channel.REACHED, os.O_RDWR | os.O_NONBLOCK
            )
            site = pathlib.Path(channel.__file__).parent / "site"
            search = f"{site}{os.pathsep}{search}"
            environment[channel.FOLDER] = str(folder)
            environment[channel.SAVES] = str(folder / "saves")
        for rank in range(_RANKS.value):
            self._ranks.append(
                subprocess.Popen(
                    [
                        *(sys.executable, "-P", "-m"),
                        "tools.bench.observed_job",
                        f"--rank={rank}",
                        f"--ranks={_RANKS.value}",
                        f"--width={width}",
                        f"--folder={folder}",
                        f"--device={_DEVICE.value}",
                    ],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env={**environment, "PYTHONPATH": search},
                    text=True,
                )
            )
        self._hooks = hooks

    def ask(self, what: str, count: int) -> _Measured:
        """Has all ranks do something; returns the means of their answers.

        Raises:
            RuntimeError: A rank has ended.
        """
        for rank in self._ranks:
            print(what, count, file=rank.stdin, flush=True)
        answers = []
        for rank in self._ranks:
            assert rank.stdout is not None
            answers.append(rank.stdout.readline())
        if self._hooks:
            # As the supervisor does, so that the pipe has room.
            with contextlib.suppress(BlockingIOError):
                os.read(self._reached, 1 << 16)
        if not all(answers):
            raise RuntimeError("A rank of the job has ended.")
        found = [json.loads(answer) for answer in answers]
        return {
            name: statistics.mean(one[name] for one in found)
            for name in found[0]
        }

    def end(self) -> None:
        """Has the ranks end."""
        for rank in self._ranks:
            rank.communicate()


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Measures and prints. Returns 0."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    print("CPU and wall, ms of a rank: without hooks, with, ratio of turns")
    for width in _WIDTHS.value:
        with (
            tempfile.TemporaryDirectory() as first,
            tempfile.TemporaryDirectory() as second,
        ):
            _measure(
                int(width),
                _Job(pathlib.Path(first), int(width), hooks=False),
                _Job(pathlib.Path(second), int(width), hooks=True),
            )
    return 0


def _measure(width: int, plain: _Job, observed: _Job) -> None:
    for job in (plain, observed):
        job.ask("step", _WARM_UP)
    for what, count, rounds in (
        ("step", _STEPS.value, _ROUNDS.value),
        ("save", 1, _SAVES.value),
    ):
        turns = [
            (plain.ask(what, count), observed.ask(what, count))
            for _ in range(rounds)
        ]
        for unit in ("cpu", "wall"):
            print(f"width {width}, {what}, {unit}: {_compared(turns, unit)}")
    parts = observed.ask("profile", _STEPS.value * 3)
    print("CPU ms of a step, profiled: " + _listed(parts), flush=True)
    for job in (plain, observed):
        job.end()


def _compared(turns: list[tuple[_Measured, _Measured]], unit: str) -> str:
    without = [1000 * one[unit] for one, _ in turns]
    hooked = [1000 * one[unit] for _, one in turns]
    ratios = [b / a for a, b in zip(without, hooked, strict=True)]
    low, median, high = statistics.quantiles(ratios)
    return (
        f"median {statistics.median(without):.1f}, "
        f"{statistics.median(hooked):.1f}; least {min(without):.1f}, "
        f"{min(hooked):.1f}; ratio {median:.3f} ({low:.3f} to {high:.3f})"
    )


def _listed(parts: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name} {1000 * seconds:.2f}" for name, seconds in parts.items()
    )


if __name__ == "__main__":
    app.run(main)
