"""Whose batch, or whose random streams, did a step take?

Digests say nothing by themselves. But a batch that was trained twice, or one
too early, has in the golden the digest of another iteration.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from regress.golden import series
from regress.oracle import evidence, verdict_pb2

_DATA = "data digest"
_RANDOM = "random state digest"

_Findings = Sequence[verdict_pb2.Finding]


def clauses(
    facts: evidence.Evidence, metric: str, findings: _Findings
) -> Iterator[str]:
    """What the golden knows of the first finding's digest.

    Args:
        facts: What is judged.
        metric: The first finding's.
        findings: Of one check; the first is nearest the cause.
    """
    if metric in _CLAUSES:
        yield from _CLAUSES[metric](facts, findings)


def _of_data(facts: evidence.Evidence, findings: _Findings) -> Iterator[str]:
    first = findings[0]
    for other in _iterations_with(facts, _DATA, first)[:1]:
        how = "again" if other < first.iteration else "too early"
        yield (
            f"iteration {first.iteration} trained the batch of iteration "
            f"{other} {how}"
        )
    wrong = {
        finding.rank
        for finding in findings
        if (finding.subject, finding.iteration) == (_DATA, first.iteration)
    }
    right = {0, facts.last_rank} - wrong
    # Who recorded no digest is not known to have read anything.
    if len(wrong) == len(right) == 1 and _number(first.actual) is not None:
        yield (
            f"rank {right.pop()} read the right batch and rank {first.rank} "
            "did not, so the stages' iterators disagree"
        )


def _of_random(facts: evidence.Evidence, findings: _Findings) -> Iterator[str]:
    first = findings[0]
    where = (
        f"rank {first.rank} began iteration {first.iteration} with the random "
        "streams of"
    )
    for other in _iterations_with(facts, _RANDOM, first)[:1]:
        yield f"{where} iteration {other}"
    number = _number(first.actual)
    others = [
        rank
        for rank in facts.ranks
        if rank != first.rank
        and number in _golden(facts, _RANDOM, rank).at(first.iteration)
    ]
    for rank in others[:1]:
        yield f"{where} rank {rank}"


def _iterations_with(
    facts: evidence.Evidence, metric: str, finding: verdict_pb2.Finding
) -> list[int]:
    """The other iterations in which the golden's rank has the digest."""
    golden = _golden(facts, metric, finding.rank)
    number = _number(finding.actual)
    if number is None:
        return []
    return [
        int(iteration)
        for iteration in golden.iterations[golden.values == number]
        if iteration != finding.iteration
    ]


def _golden(
    facts: evidence.Evidence, metric: str, rank: int
) -> series.Trajectory:
    return facts.golden_trajectories.get(
        series.Key(metric, "", rank), series.NO_TRAJECTORY
    )


def _number(digest: str) -> float | None:
    """The digest as metrics have it; None if the finding has none."""
    is_digest = re.fullmatch("[0-9a-f]{12}", digest)
    return float(int(digest, 16)) if is_digest else None


_CLAUSES: dict[str, Callable[[evidence.Evidence, _Findings], Iterator[str]]] = {
    _DATA: _of_data,
    _RANDOM: _of_random,
}
