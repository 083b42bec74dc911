"""Sorts what a checkpoint holds by the kind of state, and by rank.

Formats do not say which kind a value is, but its name and type do, by the
conventions of torch, Megatron and the frameworks on top of them. A kind is for
a reader; nothing is compared, or left out, because of it.
"""

import re
from typing import NamedTuple

from regress.ckpt import entry

WEIGHT = "weights"
OTHER = "other"

# By the first that a name fits. A weight may be called anything, so those kinds
# that never are arrays of floats are not looked for among these.
_NO_FLOATS = (("random streams", re.compile(r"rng|random|generator", re.I)),)
_ANY = (
    ("moments", re.compile(r"exp_avg|momentum|exp_inf|sum_of_squares", re.I)),
    ("param groups", re.compile(r"param_groups", re.I)),
    ("scheduler", re.compile(r"sched", re.I)),
    ("arguments", re.compile(r"(^|/)args(/|$)")),
    (
        "counters",
        re.compile(r"(^|[/._])(steps?|iterations?|epochs?|samples)$", re.I),
    ),
    ("optimizer", re.compile(r"optim", re.I)),
)

KINDS = (
    WEIGHT,
    *(kind for kind, _ in (*_ANY, *_NO_FLOATS)),
    OTHER,
)


# How the folder or the file of a rank is called.
_RANK = re.compile(r"(\w+_)?rank_?\d+(_\d+)*(?=[/.]|$)", re.ASCII)


class Place(NamedTuple):
    """Where a value belongs.

    Attributes:
        kind: One of `KINDS`.
        rank: The rank, as the format calls it; "" if it is the whole model's.
    """

    kind: str
    rank: str = ""


def find(name: str, value: entry.Entry, part: str) -> Place:
    """Returns the place of a value.

    Args:
        name: Its name.
        value: The value.
        part: The part of the checkpoint that has it.
    """
    of_rank = _RANK.match(part)
    rank = of_rank[0] if of_rank else ""
    floats = isinstance(value, entry.Array) and "float" in value.dtype
    patterns = _ANY if floats else (*_NO_FLOATS, *_ANY)
    for kind, pattern in patterns:
        if pattern.search(name):
            return Place(kind, rank)
    return Place(WEIGHT if floats else OTHER, rank)
