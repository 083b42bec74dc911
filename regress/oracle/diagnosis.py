"""What does the first metric that differs point to?

The metrics of a step are in the order in which data flows through it
(metrics.py). If one differs and none before it does, all that goes into the one
before is right, and the fault is between the two.

Digests say nothing by themselves. But a batch that was trained twice, or one
too early, has in the golden the digest of another iteration.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from regress.golden import series
from regress.oracle import (
    golden_oracle,
    observations,
    trajectory_comparison,
    verdict_pb2,
)

_RATES = "the scheduler, or the bounds of the param group"

_BACKWARD = (
    "the backward pass or the reduction of gradients, as the loss is right"
)

POINTERS = {
    "learning rate": _RATES,
    "weight decay": _RATES,
    "elements": "params that are in another group",
    "consumed samples": "the counter of consumed samples",
    "data digest": "the order of the data, or the samples themselves",
    "random state digest": "a random stream that was not restored, or from "
    "which too much or too little was drawn",
    "loss scale": "the grad scaler",
    "lm loss": "the forward pass, as what it reads is right: weights, or "
    "arithmetic",
    "grad norm": _BACKWARD,
    "zeros in grad": _BACKWARD,
    "params norm": "the update, as the gradient is right: moments, step "
    "counts, or a rate other than the reported one",
    # No metric, but the golden compares whole states, too.
    golden_oracle.SAVED_STATE: "state that no metric of a step shows",
}

_DATA = "data digest"
_RANDOM = "random state digest"
_Findings = Sequence[verdict_pb2.Finding]


def clause(
    facts: observations.Observations, findings: Sequence[verdict_pb2.Finding]
) -> str:
    """What the first finding points to, as a clause of the summary.

    Args:
        facts: What is judged.
        findings: Of one check; the first is nearest the cause.

    Returns:
        The clause, or "" if the finding is of something else.
    """
    first = findings[0]
    metric = trajectory_comparison.metric_of(first.subject)
    if metric not in POINTERS:
        return ""
    parts = [
        f"that {metric} is the first to differ points to {POINTERS[metric]}",
        *digest_clauses(facts, metric, findings),
    ]
    return "; ".join(parts)


def digest_clauses(
    facts: observations.Observations, metric: str, findings: _Findings
) -> Iterator[str]:
    """What the golden knows of the first finding's digest.

    Args:
        facts: What is judged.
        metric: The first finding's.
        findings: Of one check; the first is nearest the cause.
    """
    if metric in _CLAUSES:
        yield from _CLAUSES[metric](facts, findings)


def _of_data(
    facts: observations.Observations, findings: _Findings
) -> Iterator[str]:
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


def _of_random(
    facts: observations.Observations, findings: _Findings
) -> Iterator[str]:
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
    facts: observations.Observations, metric: str, finding: verdict_pb2.Finding
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
    facts: observations.Observations, metric: str, rank: int
) -> series.Trajectory:
    return facts.golden_trajectories.get(
        series.Key(metric, "", rank), series.NO_TRAJECTORY
    )


def _number(digest: str) -> float | None:
    """The digest as metrics have it; None if the finding has none."""
    is_digest = re.fullmatch("[0-9a-f]{12}", digest)
    return float(int(digest, 16)) if is_digest else None


_CLAUSES: dict[
    str, Callable[[observations.Observations, _Findings], Iterator[str]]
] = {
    _DATA: _of_data,
    _RANDOM: _of_random,
}
