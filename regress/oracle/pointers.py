"""What does the first metric that differs point to?

The metrics of a step are in the order in which data flows through it
(metrics.py). If one differs and none before it does, all that goes into the one
before is right, and the fault is between the two.
"""

from collections.abc import Sequence

from regress.oracle import (
    digest_origin,
    evidence,
    golden_oracle,
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


def clause(
    facts: evidence.Evidence, findings: Sequence[verdict_pb2.Finding]
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
        *digest_origin.clauses(facts, metric, findings),
    ]
    return "; ".join(parts)
