"""Composes and parses the names of state entries; no other code does.

A trainer gives each entry of its state a name. Run records contain these names,
and the digests of goldens cover them:

- "chunk 0/exp_avg/decoder.weight": a chunk, a kind and a name;
- "param group decoupled/max_lr": a field of a param group;
- "scheduler/num_steps", "rng/torch": a kind and a name;
- "iteration": only a kind.
"""

import functools
from typing import NamedTuple

from regress.run import run_pb2

PARAM_GROUP = "param group"
_CHUNK = "chunk"


class Key(NamedTuple):
    """Identifies a state entry.

    Attributes:
        kind: "param", "exp_avg", "param group", "rng", ...
        name: Name of the entry within its kind; "" if it is the only one.
        chunk: Index of the model chunk that has the entry; None if no chunk
            has it.
        group: The param group that the entry is a field of; "" if it is not a
            field of one.
    """

    kind: str
    name: str = ""
    chunk: int | None = None
    group: str = ""


def compose(key: Key) -> str:
    """Returns the entry's name in a run record."""
    parts = [
        f"{key.kind} {key.group}" if key.group else key.kind,
        *([key.name] if key.name else []),
    ]
    if key.chunk is not None:
        parts.insert(0, f"{_CHUNK} {key.chunk}")
    return "/".join(parts)


# A state is compared several times, on several ranks, by the same names.
@functools.lru_cache(maxsize=1 << 16)
def read(name: str) -> Key:
    """Parses an entry's name in a run record. Every name has a key."""
    first, _, rest = name.partition("/")
    word, _, of = first.rpartition(" ")
    if word == _CHUNK and of.isdecimal() and rest:
        kind, _, of_kind = rest.partition("/")
        key = Key(kind, of_kind, chunk=int(of))
    elif name.startswith(f"{PARAM_GROUP} "):
        # A param group's name may contain a slash; a field's does not.
        group, _, field = name.removeprefix(f"{PARAM_GROUP} ").rpartition("/")
        key = Key(PARAM_GROUP, field, group=group)
    else:
        key = Key(first, rest)
    # A name that does not survive the round trip becomes a kind of its own.
    return key if compose(key) == name else Key(name)


def by_key(state: run_pb2.StateDigest) -> dict[Key, run_pb2.StateEntry]:
    """Returns the entries by key; the last one if a key occurs repeatedly."""
    return {read(entry.name): entry for entry in state.entries}
