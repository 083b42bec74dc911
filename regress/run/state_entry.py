"""The names of state entries: composed and read here, and nowhere else.

A trainer names each entry of its state in one string, which is what a run
record has and what a golden's digests cover:

- "chunk 0/exp_avg/decoder.weight": of a chunk, a kind and a name;
- "param group decoupled/max_lr": a field of a param group;
- "scheduler/num_steps", "rng/torch": of a kind and a name;
- "iteration": of a kind alone.
"""

from typing import NamedTuple

from regress.run import run_pb2

PARAM_GROUP = "param group"
_CHUNK = "chunk"


class Key(NamedTuple):
    """What a state entry is.

    Attributes:
        kind: "param", "exp_avg", "param group", "rng", ...
        name: Which of them; "" if there is one only.
        chunk: The chunk of the model that it belongs to; None if to none.
        group: The param group that it is a field of; "" if of none.
    """

    kind: str
    name: str = ""
    chunk: int | None = None
    group: str = ""


def compose(key: Key) -> str:
    """The entry's name in a run record."""
    parts = [
        f"{key.kind} {key.group}" if key.group else key.kind,
        *([key.name] if key.name else []),
    ]
    if key.chunk is not None:
        parts.insert(0, f"{_CHUNK} {key.chunk}")
    return "/".join(parts)


def read(name: str) -> Key:
    """The key of an entry by its name in a run record; any name has one."""
    first, _, rest = name.partition("/")
    word, _, of = first.rpartition(" ")
    if word == _CHUNK and of.isdecimal() and rest:
        kind, _, of_kind = rest.partition("/")
        key = Key(kind, of_kind, chunk=int(of))
    elif name.startswith(f"{PARAM_GROUP} "):
        # A param group may have a slash in its name, and a field has none.
        group, _, field = name.removeprefix(f"{PARAM_GROUP} ").rpartition("/")
        key = Key(PARAM_GROUP, field, group=group)
    else:
        key = Key(first, rest)
    # A name that no trainer of ours gives is a kind of its own.
    return key if compose(key) == name else Key(name)


def by_key(state: run_pb2.StateDigest) -> dict[Key, run_pb2.StateEntry]:
    """The entries of a digest by what they are; of doubled ones, the last."""
    return {read(entry.name): entry for entry in state.entries}
