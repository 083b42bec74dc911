"""Where does a state come from that a rank should not have loaded?

A resume that mixes things up loads what was saved, but from elsewhere: of
another rank, another iteration or another chunk of the model. The saved state
tells. It also tells whether the two replicas of a tied embedding are still the
same: the first stage looks tokens up in it, the last one makes logits with it,
and each saves and loads its own.
"""

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping

from regress.oracle import observations, verdict_pb2
from regress.run import run_pb2, state_entry

_Digest = run_pb2.StateDigest

# Digests by what the entries are.
Entries = Mapping[state_entry.Key, str]

# The names of the replicas, on the first and on the last stage.
_FIRST_REPLICA = "embedding.word_embeddings.weight"
_LAST_REPLICA = "output_layer.weight"


def origin(
    load: observations.Load, ranks: Iterable[int], rank: int
) -> verdict_pb2.StateOrigin | None:
    """Where a rank's wrong entries come from.

    Args:
        load: What it loaded, and who had saved that.
        ranks: All ranks of the case.
        rank: The rank.

    Returns:
        The saved state that has what the rank loaded, where it differs; or for
        each chunk, the one that has it. None if no saved state does.
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
    """Which chunks hold what another one saved."""
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
    """What was saved before the load, with where it was.

    The rank's own state of the iteration is among them, and does no harm: it
    never explains what differs from it.
    """
    for other in ranks:
        yield verdict_pb2.StateOrigin(rank=other), _saved(load, other)
    # The newest first: a file that is too old is most often of the save before.
    for saver in reversed(load.savers):
        timeline = saver.timelines.get(rank, observations.NO_TIMELINE)
        for state in reversed(timeline.states):
            if state.moment == _Digest.SAVED:
                yield (
                    verdict_pb2.StateOrigin(iteration=state.iteration),
                    _entries(state),
                )


def _explains(source: Entries, wrong: Entries) -> bool:
    """Whether the wrong entries are the source's.

    The source need not have all of them: the first stage has an embedding, and
    the others have none.
    """
    known = [name for name in wrong if name in source]
    return len(wrong) <= 2 * len(known) and all(
        source[name] == wrong[name] for name in known
    )


def _wrong(load: observations.Load, rank: int) -> Entries:
    """The rank's loaded entries that are not those that it saved."""
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
    """The entries of each chunk, as if it were the only one."""
    chunks: dict[int, dict[state_entry.Key, str]] = collections.defaultdict(
        dict
    )
    for key, digest in entries.items():
        if key.chunk is not None:
            chunks[key.chunk][key._replace(chunk=None)] = digest
    return dict(chunks)


def parted_replicas(
    facts: observations.Observations, load: observations.Load
) -> list[str]:
    """The kinds of entries that were the same at the save and no longer are.

    Args:
        facts: What is judged.
        load: What was loaded, and who had saved that.

    Returns:
        As ["param", "main param"]; nothing if the case's embeddings are not
        tied.
    """
    if not facts.case.model.tied_embeddings:
        return []
    saved = _same(load.saved, facts.last_rank)
    loaded = _same(load.loaded, facts.last_rank)
    return [
        kind
        for kind, were_same in saved.items()
        if were_same and not loaded.get(kind, True)
    ]


def _same(
    digests: Callable[[int], list[run_pb2.StateDigest]], last_rank: int
) -> dict[str, bool]:
    """For each kind that both replicas have: whether they are the same.

    Args:
        digests: The digests of a rank's state.
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
    """The digests of one replica's entries, by kind."""
    return {
        key.kind: digest
        for state in states
        for key, digest in _entries(state).items()
        if key.chunk is not None and key.name == name
    }
