"""Says in one clause which state a load lost, where that is plain to see.

If all moments and step counts are gone, the first entry that differs, with its
digests, is a detail: the optimizer's state was not loaded.
"""

from collections.abc import Sequence

from regress.oracle import verdict_pb2
from regress.report import wording

_OPTIMIZER = frozenset({"step", "exp_avg", "exp_avg_sq"})
# What kinds of entries are called that were lost together.
_NOUNS: dict[frozenset[str], str] = {
    frozenset({"exp_avg", "exp_avg_sq"}): "moments",
    frozenset({"exp_avg"}): "first moments (exp_avg)",
    frozenset({"exp_avg_sq"}): "second moments (exp_avg_sq)",
    frozenset({"step"}): "step counts",
    frozenset({"param"}): "weights",
    frozenset({"param", "main param"}): "weights and main params",
    frozenset({"main param"}): "main params",
    frozenset({"buffer"}): "buffers",
    frozenset({"rng"}): "random streams",
    frozenset({"scheduler"}): "scheduler fields",
    frozenset({"param group"}): "fields of param groups",
}
# Kinds whose entries have a value that a reader can compare. Then the first one
# that differs says more than how many differ.
_WITH_VALUES = frozenset(
    {
        "iteration",
        "consumed samples",
        "scheduler",
        "loss scale",
        "param group",
        "step",
    }
)


def describe(state: verdict_pb2.RestoredState) -> str:
    """Returns e.g. "the optimizer's state was not loaded on any rank".

    Returns:
        A clause; "" if what was lost has no name, or if the first entry that
        differs says more.
    """
    wrong = [one for one in state.kinds if one.differing]
    lost = [one for one in wrong if _is_lost(one)]
    lost_kinds = frozenset(one.kind for one in lost) - frozenset(
        one.kind for one in wrong if not _is_lost(one)
    )
    if lost_kinds >= _OPTIMIZER:
        return _not_loaded("the optimizer's state", "was", lost, state)
    if lost_kinds in _NOUNS:
        return _not_loaded(f"the {_NOUNS[lost_kinds]}", "were", lost, state)
    kinds = frozenset(one.kind for one in wrong)
    several = any(one.differing > 1 for one in wrong)
    if kinds in _NOUNS and several and not kinds & _WITH_VALUES:
        return _differ(_NOUNS[kinds], wrong, state)
    return ""


def _is_lost(one: verdict_pb2.RestoredKind) -> bool:
    """Whether the load has left nothing of a kind's entries on a rank."""
    whole = one.entries_of_chunk if one.HasField("chunk") else one.entries
    return one.differing == whole and (one.absent == one.differing or one.reset)


def _not_loaded(
    what: str,
    verb: str,
    lost: Sequence[verdict_pb2.RestoredKind],
    state: verdict_pb2.RestoredState,
) -> str:
    absent = all(one.absent == one.differing for one in lost)
    how = "absent after the load" if absent else "as in a new optimizer"
    on = _on_ranks(lost, state) or " on any rank"
    return f"{what}{_of_chunk(lost)} {verb} not loaded{on} ({how})"


def _differ(
    noun: str,
    wrong: Sequence[verdict_pb2.RestoredKind],
    state: verdict_pb2.RestoredState,
) -> str:
    differing = sum(one.differing for one in wrong)
    whole = sum(
        one.entries_of_chunk if one.HasField("chunk") else one.entries
        for one in wrong
    )
    count = (
        f"all {whole:,} {noun}"
        if differing == whole
        else f"{differing:,} of {whole:,} {noun}"
    )
    on = _on_ranks(wrong, state) or " on all ranks"
    return f"{count}{_of_chunk(wrong)}{on} differ from what was saved"


def _of_chunk(rows: Sequence[verdict_pb2.RestoredKind]) -> str:
    """Returns e.g. " of chunk 1"; "" if it is not about one chunk only."""
    chunks = {one.chunk if one.HasField("chunk") else None for one in rows}
    chunk = chunks.pop()
    return f" of chunk {chunk}" if not chunks and chunk is not None else ""


def _on_ranks(
    rows: Sequence[verdict_pb2.RestoredKind],
    state: verdict_pb2.RestoredState,
) -> str:
    """Returns e.g. " on rank 2"; "" if it is about all ranks."""
    ranks = sorted({one.rank for one in rows})
    everywhere = ranks == sorted({one.rank for one in state.kinds})
    return "" if everywhere else f" on {wording.ranks(ranks)}"
