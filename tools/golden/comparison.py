"""How two goldens differ, as data."""

import dataclasses
from collections.abc import Iterator, Sequence

from regress.case import fingerprint
from regress.golden import (
    float_compare,
    golden_pb2,
    metrics,
    series,
    trajectory_comparison,
)
from regress.oracle import preconditions

# These facts say nothing about which numbers to expect.
_OF_THE_RECORDING = ("recorded", "repeats")


@dataclasses.dataclass(frozen=True)
class Row:
    """How a metric differs, on all ranks that differ in the same way.

    Attributes:
        subject: The metric, with its param group.
        ranks: The ranks that differ like this.
        compared: How many iterations both have.
        differing: How many of those iterations differ.
        first: The first iteration that differs.
        old: The old value in that iteration, with all digits.
        new: The new value.
        absolute: The largest distance; None if there is no finite one.
        relative: The largest distance over the old value, likewise.
        ulps: The largest distance in units in the last place; None if there is
            none, or if it is too large to mean anything.
    """

    subject: str
    ranks: tuple[int, ...]
    differing: int
    compared: int
    first: int
    old: str
    new: str
    absolute: float | None
    relative: float | None
    ulps: int | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How two goldens differ.

    Attributes:
        facts: What differs in case, provenance and environment: name, old, new.
        only_old: Metrics that only the old one has, in words.
        only_new: Metrics that only the new one has.
        rows: The metrics that both have and that differ, in the order of the
            table of metrics.
        same: How many metrics have the same bits, by rank and param group.
        first_checkpoint: The first iteration whose saved state differs, or that
            only one of them saved; None if there is none.
    """

    facts: tuple[tuple[str, str, str], ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    rows: tuple[Row, ...]
    same: int
    first_checkpoint: int | None

    @property
    def numbers_differ(self) -> bool:
        """Whether a run that passes one would fail the other."""
        return bool(
            self.rows
            or self.only_old
            or self.only_new
            or self.first_checkpoint is not None
        )

    @property
    def says_nothing_new(self) -> bool:
        """Whether the new one is the old one, recorded another day."""
        return not self.numbers_differ and all(
            name in _OF_THE_RECORDING for name, _, _ in self.facts
        )


def compare(old: golden_pb2.Golden, new: golden_pb2.Golden) -> Comparison:
    """Compares two goldens by their bits.

    Raises:
        GoldenError: One of them contradicts itself.
    """
    ours, theirs = series.unfold(old.series), series.unfold(new.series)
    rows: dict[tuple[object, ...], Row] = {}
    same = 0
    for one in trajectory_comparison.compare(ours, theirs):
        if not all(one.totals):
            # Only one of them has it.
            continue
        if not one.iterations.size:
            same += 1
            continue
        key, row = one.key, _row(one)
        shared = dataclasses.replace(row, ranks=())
        known = rows.get(dataclasses.astuple(shared), shared)
        rows[dataclasses.astuple(shared)] = dataclasses.replace(
            row, ranks=(*known.ranks, key.rank)
        )
    return Comparison(
        facts=tuple(_facts(old, new)),
        only_old=_only(ours, theirs),
        only_new=_only(theirs, ours),
        rows=tuple(rows.values()),
        same=same,
        first_checkpoint=_first_checkpoint(old, new),
    )


def _row(one: trajectory_comparison.Compared) -> Row:
    key, pairs = one.key, one.pairs
    metric = metrics.BY_NAME.get(key.metric)
    precision = metric.precision if metric else metrics.Precision.FLOAT64
    numbers = [(before, after) for _, before, after in pairs]
    # The distance between two digests means nothing.
    measured = [] if precision is metrics.Precision.DIGEST else numbers
    if pairs:
        first = pairs[0][0]
        texts = [float_compare.text(value, precision) for value in numbers[0]]
    else:
        # No value differs, so one has an iteration that the other does not.
        first = int(one.iterations[0])
        texts = [
            "there" if count else "absent"
            for count in one.counts[:, 0].tolist()
        ]
    group = f' of group "{key.param_group}"' if key.param_group else ""
    return Row(
        subject=f"{key.metric}{group}",
        ranks=(key.rank,),
        differing=len(pairs),
        compared=len(one.steps) - int((~one.has_values).sum()),
        first=first,
        old=texts[0],
        new=texts[1],
        absolute=_largest(float_compare.absolute(*pair) for pair in measured),
        relative=_largest(float_compare.relative(*pair) for pair in measured),
        ulps=_largest_ulps(measured, precision),
    )


def _largest_ulps(
    pairs: Sequence[tuple[float, float]], precision: metrics.Precision
) -> int | None:
    """Returns the largest distance; None if one is too large to be counted."""
    ulps = [
        float_compare.ulps(*pair, precision)
        for pair in pairs
        if float_compare.absolute(*pair) is not None
    ]
    counted = [one for one in ulps if one is not None]
    return max(counted) if ulps and len(counted) == len(ulps) else None


def _largest[Number: (float, int)](
    distances: Iterator[Number | None],
) -> Number | None:
    return max((one for one in distances if one is not None), default=None)


def _only(
    one: series.Trajectories, other: series.Trajectories
) -> tuple[str, ...]:
    return tuple(
        series.describe(key)
        for key in series.in_order(one.keys() - other.keys())
    )


def _facts(
    old: golden_pb2.Golden, new: golden_pb2.Golden
) -> Iterator[tuple[str, str, str]]:
    for name, one, other in (
        ("case", old.case_name, new.case_name),
        ("channel", old.channel, new.channel),
        ("hardware", old.hardware, new.hardware),
        ("iterations", _iterations(old), _iterations(new)),
        (
            "case fingerprint",
            old.provenance.case_fingerprint,
            new.provenance.case_fingerprint,
        ),
        (
            "corpus digest",
            old.provenance.corpus_digest,
            new.provenance.corpus_digest,
        ),
        *(
            fingerprint.differences(old.provenance.case, new.provenance.case)
            if old.provenance.HasField("case")
            and new.provenance.HasField("case")
            else ()
        ),
        ("recorded", old.provenance.date, new.provenance.date),
        ("repeats", describe_repeats(old), describe_repeats(new)),
        (
            "source",
            old.provenance.imported.source,
            new.provenance.imported.source,
        ),
    ):
        if one != other:
            yield name, str(one) or "none", str(other) or "none"
    yield from _bands(old, new)
    for differing in preconditions.compare_environments(
        old.provenance.environment, new.provenance.environment
    ):
        if differing.name != "hardware":
            yield (
                differing.name,
                "absent" if differing.expected is None else differing.expected,
                "absent" if differing.actual is None else differing.actual,
            )


def describe_iterations(one: golden_pb2.Series) -> str:
    """Says which iterations a series has: "1 to 100", "21 of 1 to 100"."""
    iterations = series.iterations_of(one)
    first, last = iterations[0], iterations[-1]
    span = f"{first} to {last}"
    if len(iterations) == last - first + 1:
        return span
    return f"{len(iterations)} of {span}"


def _iterations(golden: golden_pb2.Golden) -> str:
    """Says which iterations a golden has, wherever others' leave some out."""
    if not golden.provenance.HasField("imported"):
        return str(golden.iterations)
    return ", ".join(dict.fromkeys(map(describe_iterations, golden.series)))


def _bands(
    old: golden_pb2.Golden, new: golden_pb2.Golden
) -> Iterator[tuple[str, str, str]]:
    ours, theirs = (
        {band.metric: f"{band.relative:g}" for band in golden.bands}
        for golden in (old, new)
    )
    for metric in ours | theirs:
        one, other = ours.get(metric, "exact"), theirs.get(metric, "exact")
        if one != other:
            yield f"band of {metric}", one, other


def describe_repeats(golden: golden_pb2.Golden) -> str:
    """Says how many runs agreed, and how many of them were interrupted."""
    provenance = golden.provenance
    if not provenance.interrupted_repeats:
        return str(provenance.repeats)
    return (
        f"{provenance.repeats}, of which {provenance.interrupted_repeats} "
        "interrupted and resumed"
    )


def _first_checkpoint(
    old: golden_pb2.Golden, new: golden_pb2.Golden
) -> int | None:
    ours, theirs = (
        {one.iteration: list(one.digests) for one in golden.checkpoints}
        for golden in (old, new)
    )
    return min(
        (
            iteration
            for iteration in ours.keys() | theirs.keys()
            if ours.get(iteration) != theirs.get(iteration)
        ),
        default=None,
    )
