"""Where the time of a run goes, by the events of its ranks."""

import collections
import statistics
from collections.abc import Mapping

from regress.run import run_pb2


def seconds_by_phase(record: run_pb2.RunRecord) -> dict[str, float]:
    """Returns the seconds of each phase, summed over the attempts.

    Ranks go through a phase together, so of each attempt the mean over its
    ranks counts. What is left of an attempt's wall time is "other": starting
    processes, waiting for the interruption, ending them.
    """
    totals: dict[str, float] = collections.defaultdict(float)
    for attempt in record.attempts:
        by_rank = [_of_rank(rank, attempt.index) for rank in attempt.ranks]
        names = {name for phases in by_rank for name in phases}
        means = {
            name: statistics.fmean(phases.get(name, 0.0) for phases in by_rank)
            for name in names
        }
        for name, seconds in means.items():
            totals[name] += seconds
        totals["other"] += attempt.seconds - sum(means.values())
    return dict(totals)


def share(phases: Mapping[str, float], name: str) -> float:
    """Returns a phase's share of the whole, from 0 to 1."""
    return phases.get(name, 0.0) / sum(phases.values())


def step_seconds(record: run_pb2.RunRecord) -> list[float]:
    """Returns the wall time of each step, on the last rank."""
    return [
        event.step.seconds
        for attempt in record.attempts
        for event in attempt.ranks[-1].events
        if event.HasField("step")
    ]


def read_back_seconds(record: run_pb2.RunRecord) -> tuple[float, float]:
    """Returns the wall and the CPU time that the read-back took.

    Its ranks get ready while the attempt before it trains, which is CPU time
    only: the attempt's wall time starts when it looks for the checkpoint.
    """
    cpu = sum(
        rank.exit.user_seconds + rank.exit.system_seconds
        for rank in record.read_back.ranks
    )
    return record.read_back.seconds, cpu


def _of_rank(rank: run_pb2.RankRecord, attempt: int) -> dict[str, float]:
    phases: dict[str, float] = collections.defaultdict(float)
    for event in rank.events:
        if event.HasField("span"):
            phases[event.span.name] += event.span.seconds
            if event.span.name == "wait" and attempt > 0:
                # All this was done while the attempt before it ran.
                phases.clear()
        elif event.HasField("step"):
            phases["train"] += event.step.seconds
    return dict(phases)
