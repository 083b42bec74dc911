"""Looks up a wrong digest in the golden, to find out what it is a digest of.

A digest on its own says nothing. But if a batch was trained twice, or too
early, its digest is that of another iteration in the golden. If random streams
were mixed up, a rank's digest is that of another rank or iteration.
"""

from collections.abc import Iterator, Sequence

from regress.golden import series
from regress.oracle import observations, verdict_pb2

_DATA = "data digest"
_RANDOM = "random state digest"
_Findings = Sequence[verdict_pb2.Finding]


def clues(
    observed: observations.Observations, findings: _Findings
) -> list[verdict_pb2.Clue]:
    """Returns what the golden says about the first finding's digest.

    Args:
        observed: The indexed case, run record and golden.
        findings: The findings of one check, at least one, the one closest to
            the cause first.

    Returns:
        The clues; empty if the first finding is not about a digest of data or
        random state.
    """
    match findings[0].metric.name:
        case "data digest":
            return list(_of_data(observed, findings))
        case "random state digest":
            return list(_of_random(observed, findings[0]))
    return []


def _of_data(
    observed: observations.Observations, findings: _Findings
) -> Iterator[verdict_pb2.Clue]:
    first = findings[0]
    for other in _iterations_with(observed, _DATA, first)[:1]:
        yield verdict_pb2.Clue(batch_of_iteration=other)
    wrong = {
        finding.rank
        for finding in findings
        if finding.metric.name == _DATA and finding.iteration == first.iteration
    }
    right = {0, observed.last_rank} - wrong
    # A rank without a digest is not known to have read a batch at all.
    if len(wrong) == len(right) == 1 and first.actual.HasField("number"):
        yield verdict_pb2.Clue(rank_with_right_batch=right.pop())


def _of_random(
    observed: observations.Observations, first: verdict_pb2.Finding
) -> Iterator[verdict_pb2.Clue]:
    for other in _iterations_with(observed, _RANDOM, first)[:1]:
        yield verdict_pb2.Clue(random_of_iteration=other)
    others = [
        rank
        for rank in observed.ranks
        if rank != first.rank
        and first.actual.HasField("number")
        and first.actual.number.value
        in _golden(observed, _RANDOM, rank).at(first.iteration)
    ]
    for rank in others[:1]:
        yield verdict_pb2.Clue(random_of_rank=rank)


def _iterations_with(
    observed: observations.Observations,
    metric: str,
    finding: verdict_pb2.Finding,
) -> list[int]:
    """Returns the other iterations with that digest on the golden's rank."""
    if not finding.actual.HasField("number"):
        return []
    golden = _golden(observed, metric, finding.rank)
    return [
        int(iteration)
        for iteration in golden.iterations[
            golden.values == finding.actual.number.value
        ]
        if iteration != finding.iteration
    ]


def _golden(
    observed: observations.Observations, metric: str, rank: int
) -> series.Trajectory:
    return observed.golden_trajectories.get(
        series.Key(metric, "", rank), series.NO_TRAJECTORY
    )
