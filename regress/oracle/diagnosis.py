"""What does the golden know of a digest that is not the expected one?

Digests say nothing by themselves. But a batch that was trained twice, or one
too early, has in the golden the digest of another iteration, and a random
stream that was mixed up that of another rank.
"""

from collections.abc import Iterator, Sequence

from regress.golden import series
from regress.oracle import observations, verdict_pb2

_DATA = "data digest"
_RANDOM = "random state digest"
_Findings = Sequence[verdict_pb2.Finding]


def clues(
    facts: observations.Observations, findings: _Findings
) -> list[verdict_pb2.Clue]:
    """What is known of the first finding's digest.

    Args:
        facts: What is judged.
        findings: Of one check; the first is nearest the cause.

    Returns:
        Nothing if the finding is of something else.
    """
    match findings[0].metric.name:
        case "data digest":
            return list(_of_data(facts, findings))
        case "random state digest":
            return list(_of_random(facts, findings[0]))
    return []


def _of_data(
    facts: observations.Observations, findings: _Findings
) -> Iterator[verdict_pb2.Clue]:
    first = findings[0]
    for other in _iterations_with(facts, _DATA, first)[:1]:
        yield verdict_pb2.Clue(batch_of_iteration=other)
    wrong = {
        finding.rank
        for finding in findings
        if finding.metric.name == _DATA and finding.iteration == first.iteration
    }
    right = {0, facts.last_rank} - wrong
    # Who recorded no digest is not known to have read anything.
    if len(wrong) == len(right) == 1 and first.actual.HasField("number"):
        yield verdict_pb2.Clue(rank_with_right_batch=right.pop())


def _of_random(
    facts: observations.Observations, first: verdict_pb2.Finding
) -> Iterator[verdict_pb2.Clue]:
    for other in _iterations_with(facts, _RANDOM, first)[:1]:
        yield verdict_pb2.Clue(random_of_iteration=other)
    others = [
        rank
        for rank in facts.ranks
        if rank != first.rank
        and first.actual.HasField("number")
        and first.actual.number.value
        in _golden(facts, _RANDOM, rank).at(first.iteration)
    ]
    for rank in others[:1]:
        yield verdict_pb2.Clue(random_of_rank=rank)


def _iterations_with(
    facts: observations.Observations, metric: str, finding: verdict_pb2.Finding
) -> list[int]:
    """The other iterations in which the golden's rank has the digest."""
    if not finding.actual.HasField("number"):
        return []
    golden = _golden(facts, metric, finding.rank)
    return [
        int(iteration)
        for iteration in golden.iterations[
            golden.values == finding.actual.number.value
        ]
        if iteration != finding.iteration
    ]


def _golden(
    facts: observations.Observations, metric: str, rank: int
) -> series.Trajectory:
    return facts.golden_trajectories.get(
        series.Key(metric, "", rank), series.NO_TRAJECTORY
    )
