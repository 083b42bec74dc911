"""Sets the time and memory of attempts that resumed beside those of attempt 0.

Nothing here is a check. A step's time depends on what else the machine does,
and a resume that needs more memory is still exact; but one that keeps the
loaded checkpoint, say, does not fit where the run fitted before.
"""

import statistics
from collections.abc import Iterator

from regress.oracle import observations, verdict_pb2


def compare(
    observed: observations.Observations,
) -> list[verdict_pb2.ResumeCost]:
    """Returns the costs, by attempt and rank, of all that recorded some."""
    return list(_costs(observed))


def _costs(
    observed: observations.Observations,
) -> Iterator[verdict_pb2.ResumeCost]:
    first = observed.attempt(0)
    for index in observed.resumes:
        resumed = observed.attempt(index)
        for rank in observed.ranks:
            before = first.timelines.get(rank, observations.NO_TIMELINE)
            after = resumed.timelines.get(rank, observations.NO_TIMELINE)
            cost = verdict_pb2.ResumeCost(attempt=index, rank=rank)
            _add_time(cost, before, after)
            _add_memory(cost, before, after)
            if cost.HasField("peak_bytes") and _exceeds(observed, cost):
                cost.exceeded_bound = observed.case.memory_growth_bound
            if cost.HasField("step_seconds") or cost.HasField("peak_bytes"):
                yield cost


def _add_time(
    cost: verdict_pb2.ResumeCost,
    before: observations.Timeline,
    after: observations.Timeline,
) -> None:
    if before.step_seconds and after.step_seconds:
        cost.step_seconds_before = statistics.median(before.step_seconds)
        cost.step_seconds = statistics.median(after.step_seconds)


def _add_memory(
    cost: verdict_pb2.ResumeCost,
    before: observations.Timeline,
    after: observations.Timeline,
) -> None:
    cost.on_device = bool(before.peak_device_bytes or after.peak_device_bytes)
    if cost.on_device:
        peaks = [
            max(timeline.peak_device_bytes, default=0)
            for timeline in (before, after)
        ]
    else:
        peaks = [
            timeline.exit.peak_resident_bytes for timeline in (before, after)
        ]
    if all(peaks):
        cost.peak_bytes_before, cost.peak_bytes = peaks


def _exceeds(
    observed: observations.Observations, cost: verdict_pb2.ResumeCost
) -> bool:
    bound: float = observed.case.memory_growth_bound
    growth: float = cost.peak_bytes / cost.peak_bytes_before
    return 0 < bound < growth
