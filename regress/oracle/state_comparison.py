"""Compares two digests of one rank's state, entry by entry.

Of many entries that differ, the one that is nearest the cause comes first. A
checkpoint of the wrong iteration has every entry wrong, a scheduler that starts
over has the rates of every param group wrong, and weights that were not loaded
stay wrong in all that is computed of them.
"""

import collections
from collections.abc import Sequence

from regress.oracle import check, verdict_pb2
from regress.run import run_pb2

_ABSENT = "absent"

# The kinds of entries, from the cause to what follows from it. Entries of any
# other kind come after them.
KINDS = (
    # No entry, but that there are any.
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


def compare(
    result: check.Check,
    expected: Sequence[run_pb2.StateDigest],
    actual: Sequence[run_pb2.StateDigest],
    *,
    attempt: int,
    rank: int,
    iteration: int,
    explanation: str = "",
) -> collections.Counter[str]:
    """Compares the entries by name.

    An entry that only one of the digests has differs, and so does one that a
    digest has twice. A digest without entries shows nothing, and differs too.

    Args:
        result: Where it is counted and found.
        expected: The digests that were to be compared with: one, if all is
            well.
        actual: The digests that were found: one, if all is well.
        attempt: The attempt that `actual` was recorded in.
        rank: The rank of both.
        iteration: The iteration of both.
        explanation: What is known of the entries that differ, in one sentence.

    Returns:
        How many entries of each kind differ.
    """
    kinds: collections.Counter[str] = collections.Counter()
    recorded = tuple(check.times(len(side)) for side in (expected, actual))
    if recorded != (check.times(1), check.times(1)):
        result.count(1, 1)
        result.find(
            "state digest",
            "recorded once, and once to compare with",
            f"recorded {recorded[1]}, and {recorded[0]} to compare with",
            attempt=attempt,
            rank=rank,
            iteration=iteration,
            explanation="Without one digest on each side, nothing is compared.",
        )
        return kinds
    wanted, found = _by_name(expected[0]), _by_name(actual[0])
    if not wanted:
        result.count(1, 1)
        result.find(
            "state digest",
            "state entries to compare with",
            "none",
            attempt=attempt,
            rank=rank,
            iteration=iteration,
            explanation="A digest without entries shows nothing.",
        )
    for name in wanted | found:
        before, after = wanted.get(name, []), found.get(name, [])
        same = (
            len(before) == len(after) == 1
            and before[0].digest == after[0].digest != ""
        )
        result.count(1, int(not same))
        if not same:
            kinds[kind(name)] += 1
            result.find(
                name,
                _text(before),
                _text(after),
                attempt=attempt,
                rank=rank,
                iteration=iteration,
                explanation=explanation,
            )
    return kinds


def kind(name: str) -> str:
    """What an entry is, whatever it is of: "exp_avg", "rng", "scheduler"."""
    first, *others = name.split("/")
    word, _, of = first.rpartition(" ")
    if word == "chunk" and of.isdecimal() and others:
        return others[0]
    if first.startswith("param group "):
        return "param group"
    return first


def _by_name(
    digest: run_pb2.StateDigest,
) -> dict[str, list[run_pb2.StateEntry]]:
    entries: dict[str, list[run_pb2.StateEntry]] = {}
    for entry in digest.entries:
        entries.setdefault(entry.name, []).append(entry)
    return entries


def _text(entries: Sequence[run_pb2.StateEntry]) -> str:
    if not entries:
        return _ABSENT
    return " and ".join(
        f"{entry.digest or 'no digest'} {entry.description}".strip()
        for entry in entries
    )


_POSITIONS = {kind: kind_position for kind_position, kind in enumerate(KINDS)}


def kind_position(kind: str) -> int:
    """The place of a kind of entries among all; the first is the cause."""
    return _POSITIONS.get(kind, len(KINDS))


def by_cause(finding: verdict_pb2.Finding) -> tuple[int, ...]:
    """Sorts findings of entries by iteration, kind and rank."""
    position = kind_position(kind(finding.subject))
    return finding.iteration, position, finding.rank
