"""Compares two digests of one rank's state, entry by entry.

Of many entries that differ, the one that is nearest the cause comes first. A
checkpoint of the wrong iteration has every entry wrong, a scheduler that starts
over has the rates of every param group wrong, and weights that were not loaded
stay wrong in all that is computed of them.
"""

import collections
import dataclasses
from collections.abc import Sequence

from regress.oracle import check, verdict_pb2
from regress.run import run_pb2, state_entry

_Fact = verdict_pb2.Fact

# The kinds of entries, from the cause to what follows from it. Entries of any
# other kind come after them.
KINDS = (
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


@dataclasses.dataclass(frozen=True)
class Counts:
    """How many entries of each kind were compared, and how many differ."""

    compared: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    differing: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )

    def add(self, other: "Counts") -> None:
        """Adds another's counts."""
        self.compared.update(other.compared)
        self.differing.update(other.differing)


def compare(
    result: check.Check,
    expected: Sequence[run_pb2.StateDigest],
    actual: Sequence[run_pb2.StateDigest],
    *,
    attempt: int,
    rank: int,
    iteration: int,
    origin: verdict_pb2.StateOrigin | None = None,
) -> Counts:
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
        origin: Where the entries come from that differ, if that is known.

    Returns:
        How many entries of each kind were compared, and how many differ.
    """
    counts = Counts()
    if (len(expected), len(actual)) != (1, 1):
        result.count(1, 1)
        # Which of the two is not there once, the values tell.
        result.find(
            _Fact.STATE_DIGEST,
            check.times(len(expected)),
            check.times(len(actual)),
            attempt=attempt,
            rank=rank,
            iteration=iteration,
        )
        return counts
    wanted, found = _by_name(expected[0]), _by_name(actual[0])
    if not wanted:
        result.count(1, 1)
        result.find(
            _Fact.EMPTY_STATE_DIGEST,
            "state entries to compare with",
            "none",
            attempt=attempt,
            rank=rank,
            iteration=iteration,
        )
    for name in wanted | found:
        before, after = wanted.get(name, []), found.get(name, [])
        same = (
            len(before) == len(after) == 1
            and before[0].digest == after[0].digest != ""
        )
        result.count(1, int(not same))
        key = state_entry.read(name)
        counts.compared[key.kind] += 1
        if not same:
            counts.differing[key.kind] += 1
            finding = result.find(
                _subject(key),
                _value(before),
                _value(after),
                attempt=attempt,
                rank=rank,
                iteration=iteration,
            )
            if origin is not None:
                finding.origin.CopyFrom(origin)
    return counts


def _subject(key: state_entry.Key) -> verdict_pb2.StateEntryKey:
    return verdict_pb2.StateEntryKey(
        chunk=key.chunk, kind=key.kind, group=key.group, name=key.name
    )


def _by_name(
    digest: run_pb2.StateDigest,
) -> dict[str, list[run_pb2.StateEntry]]:
    entries: dict[str, list[run_pb2.StateEntry]] = {}
    for entry in digest.entries:
        entries.setdefault(entry.name, []).append(entry)
    return entries


def _value(entries: Sequence[run_pb2.StateEntry]) -> verdict_pb2.Value:
    if not entries:
        return check.ABSENT
    return verdict_pb2.Value(
        entries=verdict_pb2.StateEntries(
            entries=[
                run_pb2.StateEntry(
                    digest=entry.digest, description=entry.description
                )
                for entry in entries
            ]
        )
    )


_POSITIONS = {kind: kind_position for kind_position, kind in enumerate(KINDS)}


def kind_position(kind: str) -> int:
    """The place of a kind of entries among all; the first is the cause."""
    return _POSITIONS.get(kind, len(KINDS))


def by_cause(finding: verdict_pb2.Finding) -> tuple[int, ...]:
    """Sorts findings of entries by iteration, kind and rank."""
    position = (
        kind_position(finding.state_entry.kind)
        if finding.HasField("state_entry")
        # Whether there are any comes before what they are.
        else -1
    )
    return finding.iteration, position, finding.rank
