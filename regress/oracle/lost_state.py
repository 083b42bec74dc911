"""Finds out how state was lost: absent, started anew, or of one chunk only."""

import collections
from collections.abc import Mapping

from regress.oracle import observations, verdict_pb2
from regress.run import run_pb2, state_entry

_Entries = Mapping[state_entry.Key, run_pb2.StateEntry]

# How a trainer describes a step count that starts over.
_ZERO = ("0", "0.0")


def describe(
    load: observations.Load, rank: int, kind: verdict_pb2.RestoredKind
) -> None:
    """Fills in how the entries of a kind differ; leaves the counts alone.

    Args:
        load: The load, and the attempts that saved before it.
        rank: The rank that loaded.
        kind: The row of that rank and kind in the verdict.
    """
    saved, loaded = (
        {
            key: entry
            for state in states
            for key, entry in state_entry.by_key(state).items()
        }
        for states in (load.saved(rank), load.loaded(rank))
    )
    describe_entries(saved, loaded, kind)


def describe_entries(
    saved: _Entries, loaded: _Entries, kind: verdict_pb2.RestoredKind
) -> None:
    """Fills in how the entries of a kind differ; leaves the counts alone.

    Args:
        saved: What there was, of all kinds.
        loaded: What there is.
        kind: The row of the kind in the verdict.
    """
    saved, loaded = (
        {key: entry for key, entry in entries.items() if key.kind == kind.kind}
        for entries in (saved, loaded)
    )
    wrong = [
        key
        for key in saved
        if key not in loaded or loaded[key].digest != saved[key].digest
    ]
    if not wrong:
        return
    kind.absent = sum(key not in loaded for key in wrong)
    there = [key for key in wrong if key in loaded]
    kind.reset = bool(there) and (
        all(loaded[key].description in _ZERO for key in there)
        or _are_all_alike(there, saved, loaded)
    )
    chunks = {key.chunk for key in wrong}
    chunk = chunks.pop()
    if not chunks and chunk is not None:
        of_chunk = sum(key.chunk == chunk for key in saved)
        if of_chunk < len(saved):
            kind.chunk = chunk
            kind.entries_of_chunk = of_chunk


def _are_all_alike(
    keys: list[state_entry.Key], saved: _Entries, loaded: _Entries
) -> bool:
    """Whether tensors that differed from one another no longer do.

    A tensor is compared with those of its own shape and type. Training gives no
    two of them the same bits; a new optimizer fills all with zeros.
    """
    before: dict[str, set[str]] = collections.defaultdict(set)
    after: dict[str, set[str]] = collections.defaultdict(set)
    for key in keys:
        before[saved[key].description].add(saved[key].digest)
        after[saved[key].description].add(loaded[key].digest)
    return all(len(one) == 1 for one in after.values()) and any(
        len(one) > 1 for one in before.values()
    )
