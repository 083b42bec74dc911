"""Finds out where a wrongly loaded state comes from.

A resume may load state that was saved by another rank, at another iteration, or
for another chunk of the model. The saved states show which.

They also show whether the two replicas of a tied embedding are still the same.
The first stage looks up tokens in its replica, the last stage computes logits
with its own, and each stage saves and loads its replica separately.
"""

import collections
from collections.abc import Iterator, Mapping

from regress.oracle import observations, verdict_pb2
from regress.run import run_pb2, state_entry

_Digest = run_pb2.StateDigest

# Digests of state entries, by key.
Entries = Mapping[state_entry.Key, str]

# The tied embedding's names on the first and on the last stage.
_FIRST_REPLICA = "embedding.word_embeddings.weight"
_LAST_REPLICA = "output_layer.weight"


def origin(
    facts: observations.Observations, rank: int, iteration: int
) -> verdict_pb2.StateOrigin | None:
    """Returns where a rank's wrong entries come from.

    Args:
        facts: The indexed case, run record and golden.
        rank: A rank of attempt 1.
        iteration: The iteration of the checkpoint that it loaded.

    Returns:
        The saved state that contains the wrong entries, or else the chunks that
        contain those of other chunks. None if the rank loaded no wrong entries,
        or if nothing that was saved explains them.
    """
    wrong = _wrong(facts, rank, iteration)
    if not wrong:
        return None
    for source, entries in _saved_states(facts, rank, iteration):
        if _explains(entries, wrong):
            return source
    chunks = list(_chunk_origins(facts, wrong, rank, iteration))
    return verdict_pb2.StateOrigin(chunks=chunks) if chunks else None


def _chunk_origins(
    facts: observations.Observations, wrong: Entries, rank: int, iteration: int
) -> Iterator[verdict_pb2.ChunkOrigin]:
    """Yields the chunks that hold what another chunk saved."""
    saved = _by_chunk(_saved(facts, rank, iteration))
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
    facts: observations.Observations, rank: int, iteration: int
) -> Iterator[tuple[verdict_pb2.StateOrigin, Entries]]:
    """Yields the states that attempt 0 saved, each with its origin.

    They include the rank's own state of the iteration, which does no harm: it
    cannot explain entries that differ from it.
    """
    for other in facts.ranks:
        yield (
            verdict_pb2.StateOrigin(rank=other),
            _saved(facts, other, iteration),
        )
    timeline = facts.interrupted.timelines.get(rank, observations.NO_TIMELINE)
    # Newest first: a stale file is most often from the save before.
    for state in reversed(timeline.states):
        if state.moment == _Digest.SAVED:
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


def _wrong(
    facts: observations.Observations, rank: int, iteration: int
) -> Entries:
    """Returns the rank's loaded entries that differ from what it saved."""
    saved = _saved(facts, rank, iteration)
    timeline = facts.resumed.timelines.get(rank, observations.NO_TIMELINE)
    loaded = timeline.digests(_Digest.LOADED, iteration)
    return {
        name: digest
        for state in loaded
        for name, digest in _entries(state).items()
        if saved.get(name) != digest
    }


def _saved(
    facts: observations.Observations, rank: int, iteration: int
) -> Entries:
    timeline = facts.interrupted.timelines.get(rank, observations.NO_TIMELINE)
    saved = timeline.digests(_Digest.SAVED, iteration)
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
    facts: observations.Observations, iteration: int
) -> list[str]:
    """Returns the kinds of entries in which the tied replicas have parted.

    In these, the two replicas were the same when saved, and differ when loaded.

    Args:
        facts: The indexed case, run record and golden.
        iteration: The iteration of the checkpoint that attempt 1 loaded.

    Returns:
        The kinds, such as ["param", "main param"]; empty if the case's
        embeddings are not tied.
    """
    if not facts.case.model.tied_embeddings:
        return []
    saved = _same(facts.interrupted, facts, _Digest.SAVED, iteration)
    loaded = _same(facts.resumed, facts, _Digest.LOADED, iteration)
    return [
        kind
        for kind, were_same in saved.items()
        if were_same and not loaded.get(kind, True)
    ]


def _same(
    attempt: observations.Attempt,
    facts: observations.Observations,
    moment: run_pb2.StateDigest.Moment,
    iteration: int,
) -> dict[str, bool]:
    """Returns whether the replicas are the same, by kind that both have."""
    first, last = (
        _replica(attempt, rank, name, moment, iteration)
        for rank, name in (
            (0, _FIRST_REPLICA),
            (facts.last_rank, _LAST_REPLICA),
        )
    )
    return {kind: first[kind] == last[kind] for kind in first if kind in last}


def _replica(
    attempt: observations.Attempt,
    rank: int,
    name: str,
    moment: run_pb2.StateDigest.Moment,
    iteration: int,
) -> dict[str, str]:
    """Returns the digests of one replica's entries, by kind."""
    timeline = attempt.timelines.get(rank, observations.NO_TIMELINE)
    return {
        key.kind: digest
        for state in timeline.digests(moment, iteration)
        for key, digest in _entries(state).items()
        if key.chunk is not None and key.name == name
    }
