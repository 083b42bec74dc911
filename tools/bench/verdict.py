"""Measures how long the oracle takes to reach its verdict.

    tools/bazelw run //tools/bench:verdict

makes a record of each of `--steps` steps and four ranks, each in a process of
its own, judges it and prints a table: time, and the process's largest resident
memory with the record in it, before and after the judging.
"""

import concurrent.futures
import dataclasses
import multiprocessing
import resource
import time
from collections.abc import Sequence

from absl import app, flags

from regress import errors
from regress.oracle import judge, verdict_pb2
from regress.report import summary
from tools.bench import synthetic_records

_STEPS = flags.DEFINE_list(
    "steps", ["100", "10000", "100000"], "Steps of each record: multiples of 4."
)


@dataclasses.dataclass(frozen=True)
class _Measured:
    wall_seconds: float
    cpu_seconds: float
    record_bytes: int
    peak_before: int
    peak_after: int


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Measures each size and prints the table. Returns 0."""
    del argv
    print(
        "| steps | wall, s | CPU, s | record, MB | peak RSS before, MB"
        " | peak RSS, MB |\n| ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for steps in map(int, _STEPS.value):
        # A fresh process, for its memory never shrinks.
        with concurrent.futures.ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn")
        ) as pool:
            found = pool.submit(_measure, steps).result()
        print(
            f"| {steps:,} | {found.wall_seconds:.3f} | {found.cpu_seconds:.3f}"
            f" | {_megabytes(found.record_bytes)}"
            f" | {_megabytes(found.peak_before)}"
            f" | {_megabytes(found.peak_after)} |",
            flush=True,
        )
    return 0


def _measure(steps: int) -> _Measured:
    records = synthetic_records.make(steps)
    peak_before = _peak_bytes()
    wall, cpu = time.monotonic(), time.process_time()
    verdict = judge.judge(
        records.case, records.run, records.golden, synthetic_records.TARGET
    )
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    if verdict.conclusion != verdict_pb2.Verdict.PASS:
        raise RuntimeError(
            f"{steps} steps: expected the verdict PASS, found: "
            f"{summary.summarize(verdict)}"
        )
    # Taken first: ByteSize serializes the whole record.
    peak_after = _peak_bytes()
    return _Measured(wall, cpu, records.run.ByteSize(), peak_before, peak_after)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f}"


if __name__ == "__main__":
    app.run(main)
