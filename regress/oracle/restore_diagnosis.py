"""Finds out where a wrongly loaded state comes from.

A resume may load state that was saved by another rank, at another iteration, or
for another chunk of the model. The saved states show which.

They also show whether the two replicas of a tied embedding are still the same.
The first stage looks up tokens in its replica, the last stage computes logits
with its own, and each stage saves and loads its replica separately.
"""

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping

from regress.oracle import observations, verdict_pb2
from regress.run import run_pb2, state_entry

# Digests of state entries, by key.
Entries = Mapping[state_entry.Key, str]

# The tied embedding's names on the first and on the last stage.
_FIRST_REPLICA = "embedding.word_embeddings.weight"
_LAST_REPLICA = "output_layer.weight"


def origin(
    load: observations.Load, ranks: Iterable[int], rank: int
) -> verdict_pb2.StateOrigin | None:
    """Returns where a rank's wrong entries come from.

    Args:
        load: The load, and the attempts that saved before it.
        ranks: All ranks of the case.
        rank: A rank of the attempt that loaded.

    Returns:
        The saved state that contains the wrong entries, or else the chunks that
        contain those of other chunks. None if the rank loaded no wrong entries,
        or if nothing that was saved explains them.
    """
    wrong = _wrong(load, rank)
    if not wrong:
        return None
    for source, entries in _saved_states(load, ranks, rank):
        if _explains(entries, wrong):
            return source
    chunks = list(_chunk_origins(load, wrong, rank))
    return verdict_pb2.StateOrigin(chunks=chunks) if chunks else None


def _chunk_origins(
    load: observations.Load, wrong: Entries, rank: int
) -> Iterator[verdict_pb2.ChunkOrigin]:
    """Yields the chunks that hold what another chunk saved."""
    saved = _by_chunk(_saved(load, rank))
    for chunk, of_chunk in _by_chunk(wrong).items():
        others = (
            other
            for other, entries in saved.items()
            if _explains(entries, of_chunk)
        )
        for other in others:
            yield verdict_pb2.ChunkOrigin(chunk=chunk, source=other)
            break


def _saved_states(
    load: observations.Load, ranks: Iterable[int], rank: int
) -> Iterator[tuple[verdict_pb2.StateOrigin, Entries]]:
    """Yields the states saved before the load, each with its origin.

    They include the rank's own state of the iteration, which does no harm: it
    cannot explain entries that differ from it.
    """
    for other in ranks:
        yield verdict_pb2.StateOrigin(rank=other), _saved(load, other)
    # Newest first: a stale file is most often from the save before.
    for saver in reversed(load.savers):
        timeline = saver.timelines.get(rank, observations.NO_TIMELINE)
        for state in reversed(timeline.states):
            # What a rank loads, or goes on with, has been saved, too.
            yield (
                verdict_pb2.StateOrigin(iteration=state.iteration),
                _entries(state),
            )


def _explains(source: Entries, wrong: Entries) -> bool:
    """Whether the wrong entries come from the source.

    The source must have at least half of them, all with the same digests. It
    need not have every one: only the first stage has an embedding, for example.
    """
    known = [name for name in wrong if name in source]
    return len(wrong) <= 2 * len(known) and all(
        source[name] == wrong[name] for name in known
    )


def _wrong(load: observations.Load, rank: int) -> Entries:
    """Returns the rank's loaded entries that differ from what it saved."""
    saved = _saved(load, rank)
    return {
        name: digest
        for state in load.loaded(rank)
        for name, digest in _entries(state).items()
        if saved.get(name) != digest
    }


def _saved(load: observations.Load, rank: int) -> Entries:
    saved = load.saved(rank)
    return _entries(saved[0]) if saved else {}


def _entries(state: run_pb2.StateDigest) -> Entries:
    return {
        key: entry.digest for key, entry in state_entry.by_key(state).items()
    }


def _by_chunk(entries: Entries) -> dict[int, Entries]:
    """Returns the entries by chunk, with keys that leave out the chunk."""
    chunks: dict[int, dict[state_entry.Key, str]] = collections.defaultdict(
        dict
    )
    for key, digest in entries.items():
        if key.chunk is not None:
            chunks[key.chunk][key._replace(chunk=None)] = digest
    return dict(chunks)


def parted_replicas(
    observed: observations.Observations, load: observations.Load
) -> list[str]:
    """Returns the kinds of entries in which the tied replicas have parted.

    In these, the two replicas were the same when saved, and differ when loaded.

    Args:
        observed: The indexed case, run record and golden.
        load: The load, and the attempts that saved before it.

    Returns:
        The kinds, such as ["param", "main param"]; empty if the case's
        embeddings are not tied.
    """
    if not observed.case.model.tied_embeddings:
        return []
    saved = _same(load.saved, observed.last_rank)
    loaded = _same(load.loaded, observed.last_rank)
    return [
        kind
        for kind, were_same in saved.items()
        if were_same and not loaded.get(kind, True)
    ]


def _same(
    digests: Callable[[int], list[run_pb2.StateDigest]], last_rank: int
) -> dict[str, bool]:
    """Returns whether the replicas are the same, by kind that both have.

    Args:
        digests: Returns the digests of a rank's state.
        last_rank: The rank that has the second replica.
    """
    first, last = (
        _replica(digests(rank), name)
        for rank, name in ((0, _FIRST_REPLICA), (last_rank, _LAST_REPLICA))
    )
    return {kind: first[kind] == last[kind] for kind in first if kind in last}


def _replica(
    states: Iterable[run_pb2.StateDigest], name: str
) -> dict[str, str]:
    """Returns the digests of one replica's entries, by kind."""
    return {
        key.kind: digest
        for state in states
        for key, digest in _entries(state).items()
        if key.chunk is not None and key.name == name
    }
