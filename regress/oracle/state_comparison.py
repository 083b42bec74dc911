"""Compares two digests of one rank's state, entry by entry.

If many entries differ, the one closest to the cause comes first. A checkpoint
of the wrong iteration makes every entry wrong, a scheduler that starts over
makes the rates of every param group wrong, and weights that were not loaded
make everything computed from them wrong.
"""

import collections
import dataclasses
from collections.abc import Sequence

from regress.oracle import check, verdict_pb2
from regress.run import run_pb2, state_entry

_Fact = verdict_pb2.Fact

# The kinds of entries, from cause to consequence. Entries of any other kind
# come last.
KINDS = (
    "iteration",
    "consumed samples",
    "scheduler",
    "loss scale",
    "param group",
    "param",
    "buffer",
    "extra state",
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
        """Adds other counts to these."""
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

    An entry differs if only one digest has it, or if a digest has it twice. An
    expected digest without entries proves nothing, so it counts as a
    difference.

    Args:
        result: The check to which counts and findings are added.
        expected: The digests to compare with: one if all is well.
        actual: The digests that were recorded: one if all is well.
        attempt: The attempt in which `actual` was recorded.
        rank: The rank of both.
        iteration: The iteration of both.
        origin: Where the differing entries come from, if known.

    Returns:
        How many entries of each kind were compared, and how many differ.
    """
    counts = Counts()
    if (len(expected), len(actual)) != (1, 1):
        result.count(1, 1)
        # The values show which side does not have exactly one digest.
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
    """Returns a kind's position in `KINDS`; unknown kinds come last."""
    return _POSITIONS.get(kind, len(KINDS))


def by_cause(finding: verdict_pb2.Finding) -> tuple[int, ...]:
    """Sorts findings about state entries by iteration and kind."""
    position = (
        kind_position(finding.state_entry.kind)
        if finding.HasField("state_entry")
        # A missing or empty digest comes before differing entries.
        else -1
    )
    return finding.iteration, position
