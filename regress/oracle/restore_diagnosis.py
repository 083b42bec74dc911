"""Where does a state come from that a rank should not have loaded?

A resume that mixes things up loads what was saved, but from elsewhere: of
another rank, another iteration or another chunk of the model. The saved state
tells. It also tells whether the two replicas of a tied embedding are still the
same: the first stage looks tokens up in it, the last one makes logits with it,
and each saves and loads its own.
"""

import collections
from collections.abc import Iterator, Mapping

from regress.oracle import check, observations
from regress.run import run_pb2

_Digest = run_pb2.StateDigest

# Digests by the names of the entries.
Entries = Mapping[str, str]

# The ends of the replicas' names, on the first and on the last stage.
_FIRST_REPLICA = "embedding.word_embeddings.weight"
_LAST_REPLICA = "output_layer.weight"


def loaded_from(
    facts: observations.Observations, rank: int, iteration: int
) -> str:
    """Where a rank's wrong entries come from.

    Args:
        facts: What is judged.
        rank: A rank of attempt 1.
        iteration: The iteration of the checkpoint that it loaded.

    Returns:
        What the rank loaded, where it differs, without the subject: "what rank
        1 saved", "of iteration 20". "" if no other saved state has it.
    """
    wrong = _wrong(facts, rank, iteration)
    if not wrong:
        return ""
    return next(
        (
            text
            for text, entries in _saved_states(facts, rank, iteration)
            if _explains(entries, wrong)
        ),
        "",
    )


def chunks_from(
    facts: observations.Observations, rank: int, iteration: int
) -> list[str]:
    """Which of a rank's chunks holds what another one saved.

    Args:
        facts: What is judged.
        rank: A rank of attempt 1.
        iteration: The iteration of the checkpoint that it loaded.

    Returns:
        As "chunk 0 holds what chunk 1 saved", each chunk at most once.
    """
    saved = _by_chunk(_saved(facts, rank, iteration))
    found = []
    for chunk, wrong in _by_chunk(_wrong(facts, rank, iteration)).items():
        others = (
            other
            for other, entries in saved.items()
            if _explains(entries, wrong)
        )
        found += [f"{chunk} holds what {other} saved" for other in others][:1]
    return found


def note(
    facts: observations.Observations, loaded: Mapping[int, int]
) -> tuple[list[str], dict[int, str]]:
    """What is known of where wrong states come from.

    Args:
        facts: What is judged.
        loaded: The iteration of the checkpoint that each rank loaded.

    Returns:
        Clauses for the summary, and a sentence for each rank that there is
        something to say about.
    """
    ranks_by_text: dict[str, list[int]] = collections.defaultdict(list)
    clauses, sentences = [], {}
    for rank, iteration in loaded.items():
        if text := loaded_from(facts, rank, iteration):
            ranks_by_text[text].append(rank)
            sentences[rank] = (
                f"Where it differs, what rank {rank} loaded is {text}."
            )
        elif chunks := chunks_from(facts, rank, iteration):
            clauses.append(f"on rank {rank} {', '.join(chunks)}")
            sentences[rank] = f"On rank {rank} {', '.join(chunks)}."
    clauses += [
        f"what {check.ranks(ranks)} loaded is {text}"
        for text, ranks in ranks_by_text.items()
    ]
    return clauses, sentences


def _saved_states(
    facts: observations.Observations, rank: int, iteration: int
) -> Iterator[tuple[str, Entries]]:
    """What attempt 0 saved, with its name.

    The rank's own state of the iteration is among them, and does no harm: it
    never explains what differs from it.
    """
    for other in facts.ranks:
        yield f"what rank {other} saved", _saved(facts, other, iteration)
    timeline = facts.interrupted.timelines.get(rank, observations.NO_TIMELINE)
    # The newest first: a file that is too old is most often of the save before.
    for state in reversed(timeline.states):
        if state.moment == _Digest.SAVED:
            yield f"of iteration {state.iteration}", _entries(state)


def _explains(source: Entries, wrong: Entries) -> bool:
    """Whether the wrong entries are the source's.

    The source need not have all of them: the first stage has an embedding, and
    the others have none.
    """
    known = [name for name in wrong if name in source]
    return len(wrong) <= 2 * len(known) and all(
        source[name] == wrong[name] for name in known
    )


def _wrong(
    facts: observations.Observations, rank: int, iteration: int
) -> Entries:
    """The rank's loaded entries that are not those that it saved."""
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
    return {entry.name: entry.digest for entry in state.entries}


def _by_chunk(entries: Entries) -> dict[str, dict[str, str]]:
    """The entries of each chunk, named without it."""
    chunks: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for name, digest in entries.items():
        owner, _, rest = name.partition("/")
        if owner.startswith("chunk "):
            chunks[owner][rest] = digest
    return chunks


def parted_replicas(
    facts: observations.Observations, iteration: int
) -> list[str]:
    """The kinds of entries that were the same at the save and no longer are.

    Args:
        facts: What is judged.
        iteration: The iteration of the checkpoint that attempt 1 loaded.

    Returns:
        As ["param", "main param"]; nothing if the case's embeddings are not
        tied.
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
    """For each kind that both replicas have: whether they are the same."""
    first, last = (
        _replica(attempt, rank, end, moment, iteration)
        for rank, end in ((0, _FIRST_REPLICA), (facts.last_rank, _LAST_REPLICA))
    )
    return {kind: first[kind] == last[kind] for kind in first if kind in last}


def _replica(
    attempt: observations.Attempt,
    rank: int,
    end: str,
    moment: run_pb2.StateDigest.Moment,
    iteration: int,
) -> dict[str, str]:
    """The digests of one replica's entries, by kind."""
    timeline = attempt.timelines.get(rank, observations.NO_TIMELINE)
    return {
        parts[1]: entry.digest
        for state in timeline.digests(moment, iteration)
        for entry in state.entries
        # The chunk, the kind, and the rest.
        for parts in [entry.name.split("/")]
        if parts[2:] == [end]
    }
