"""Words for what attempts that resumed took, beside attempt 0."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from regress.oracle import verdict_pb2

_MEMORY = {False: "resident memory", True: "GPU memory"}


class Row(NamedTuple):
    """One rank of one attempt, in words; "" for what was not recorded."""

    where: str
    step: str
    step_ratio: str
    memory: str
    memory_ratio: str
    found: str


def rows(verdict: verdict_pb2.Verdict) -> list[Row]:
    """Returns a row for each rank of each attempt that resumed."""
    return [_row(cost) for cost in verdict.resume_costs]


def lines(verdict: verdict_pb2.Verdict) -> Iterator[str]:
    """Yields one sentence for each attempt, then one for each finding.

    The rank whose memory has grown most stands for the attempt.
    """
    for _, costs in itertools.groupby(
        verdict.resume_costs, key=lambda cost: cost.attempt
    ):
        most = max(costs, key=_growth)
        row = _row(most)
        parts = [
            f"{what} ({ratio})"
            for what, ratio in (
                (row.step, row.step_ratio),
                (row.memory, row.memory_ratio),
            )
            if what
        ]
        yield (
            f"Attempt {most.attempt} beside attempt 0, on rank {most.rank}: "
            f"{'; '.join(parts)}."
        )
    for row in rows(verdict):
        if row.found:
            yield f"{row.found} (Memory alone fails no test.)"


def _growth(cost: verdict_pb2.ResumeCost) -> float:
    if not cost.peak_bytes_before:
        return 0.0
    growth: float = cost.peak_bytes / cost.peak_bytes_before
    return growth


def _row(cost: verdict_pb2.ResumeCost) -> Row:
    where = f"rank {cost.rank} of attempt {cost.attempt}"
    step = step_ratio = memory = memory_ratio = found = ""
    if cost.HasField("step_seconds"):
        step = (
            f"{cost.step_seconds:.3g} s a step, "
            f"{cost.step_seconds_before:.3g} s before"
        )
        if cost.step_seconds_before:
            step_ratio = _times(cost.step_seconds / cost.step_seconds_before)
    if cost.HasField("peak_bytes"):
        memory = (
            f"{_mib(cost.peak_bytes)} of {_MEMORY[cost.on_device]} at the "
            f"peak, {_mib(cost.peak_bytes_before)} before"
        )
        memory_ratio = _times(_growth(cost))
    if cost.HasField("exceeded_bound"):
        found = (
            f"The memory of {where} has grown to {memory_ratio} what it was in "
            f"attempt 0; the case expects at most {cost.exceeded_bound:g} "
            "times. Look for what the resume keeps, such as the checkpoint "
            "that it loaded."
        )
    return Row(where, step, step_ratio, memory, memory_ratio, found)


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times"


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
