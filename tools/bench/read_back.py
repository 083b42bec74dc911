"""Measures what the read-back adds to a resume test.

    tools/bazelw run //tools/bench:read_back

runs the test `--repeats` times and prints, for each, its wall and CPU time with
the read-back, what they are without, and the ratio. Both come from one run, so
they have met the same load: the kernel counts the CPU time of each rank by
itself, and the ranks that read back are ranks of their own. Without them, the
test would end when attempt 1 does.
"""

import pathlib
import statistics
from collections.abc import Sequence

from absl import app, flags

from regress import errors
from tools.bench import measured_run, phases

_CASE = flags.DEFINE_string(
    "case", measured_run.FLAGSHIP, "Path of the case's textproto."
)
_REPEATS = flags.DEFINE_integer("repeats", 3, "How often to run it.", 1)


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Runs and prints. Returns 0."""
    del argv
    ratios: dict[str, list[float]] = {"wall": [], "CPU": []}
    for number in range(_REPEATS.value):
        record, times = measured_run.run_test(pathlib.Path(_CASE.value))
        costs = phases.read_back_seconds(record)
        for name, seconds, cost in zip(ratios, times, costs, strict=True):
            without = seconds - cost
            ratios[name].append(seconds / without)
            print(
                f"run {number}: {name:4} {seconds:7.2f} s with the read-back, "
                f"{without:7.2f} s without: {seconds / without:.3f}",
                flush=True,
            )
    for name, found in ratios.items():
        print(f"{name}: median {statistics.median(found):.3f}")
    return 0


if __name__ == "__main__":
    app.run(main)
