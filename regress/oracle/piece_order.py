"""Of many pieces of state that differ, which is nearest the cause?

A checkpoint of the wrong iteration has every piece wrong, a scheduler that
starts over has the rates of every param group wrong, and weights that were not
loaded stay wrong in all that is computed of them. So what others follow from
comes first.
"""

from regress.oracle import piece_comparison, verdict_pb2

# The kinds of pieces, from the cause to what follows from it. Pieces of another
# kind come after them.
KINDS = (
    # No piece, but that there are any.
    "state digest",
    "iteration",
    "consumed samples",
    "scheduler",
    "loss scale",
    "param group",
    "param",
    "buffer",
    "main param",
    "step",
    "exp_avg",
    "exp_avg_sq",
    "rng",
)

_PLACES = {kind: place for place, kind in enumerate(KINDS)}


def place(kind: str) -> int:
    """The place of a kind of pieces among all; the first is the cause."""
    return _PLACES.get(kind, len(KINDS))


def order(finding: verdict_pb2.Finding) -> tuple[int, ...]:
    """Sorts findings of pieces by iteration, kind and rank."""
    kind = piece_comparison.kind(finding.subject)
    return finding.iteration, place(kind), finding.rank
