"""Finds where metrics are not what they should be.

The comparison itself is `regress.golden.trajectory_comparison`.
"""

import types
from collections.abc import Mapping

from regress.golden import (
    float_compare,
    metrics,
    series,
    trajectory_comparison,
)
from regress.oracle import check, verdict_pb2

_PRECISIONS = {
    metrics.Precision.FLOAT32: verdict_pb2.Number.FLOAT32,
    metrics.Precision.FLOAT64: verdict_pb2.Number.FLOAT64,
    metrics.Precision.INTEGER: verdict_pb2.Number.INTEGER,
    metrics.Precision.DIGEST: verdict_pb2.Number.DIGEST,
}
_NO_BANDS: Mapping[str, float] = types.MappingProxyType({})


def compare(
    result: check.Check,
    expected: series.Trajectories,
    actual: series.Trajectories,
    steps: Mapping[int, range],
    *,
    attempt: int,
    bands: Mapping[str, float] = _NO_BANDS,
) -> None:
    """Compares what two sources say of the same iterations.

    Each value that either of them has is compared. A value that one of them
    lacks, or has twice, differs.

    Args:
        result: Where it is counted and found.
        expected: What should be.
        actual: What is.
        steps: The iterations to compare, by rank; other ranks are not looked
            at. Counted from 1, without gaps.
        attempt: The attempt that `actual` was recorded in.
        bands: How far a metric may be from what is expected, as a part of it,
            by the metric's name; every other metric is compared by its bits.
    """
    for one in trajectory_comparison.compare(expected, actual, steps, bands):
        result.count(len(one.steps), int(one.iterations.size))
        if all(one.totals):
            _find(result, one, attempt, bands.get(one.key.metric))
        else:
            # A metric that one of them lacks is told once.
            _find_counts(result, one, attempt, one.steps[0], *one.totals)


def subject(key: series.Key) -> verdict_pb2.Metric:
    """The metric and its param group, without the rank."""
    return verdict_pb2.Metric(name=key.metric, param_group=key.param_group)


def _find(
    result: check.Check,
    one: trajectory_comparison.Compared,
    attempt: int,
    band: float | None,
) -> None:
    """Finds the first iterations that differ."""
    has_values = one.has_values
    for place, iteration in enumerate(
        one.iterations[: check.FINDINGS_KEPT].tolist()
    ):
        if has_values[place]:
            _find_numbers(
                result,
                one,
                attempt,
                iteration,
                *one.values[:, place].tolist(),
                band=band,
            )
        else:
            _find_counts(
                result, one, attempt, iteration, *one.counts[:, place].tolist()
            )


def _find_counts(
    result: check.Check,
    one: trajectory_comparison.Compared,
    attempt: int,
    iteration: int,
    expected: int,
    actual: int,
) -> None:
    """Finds that a source has no value, or more than one."""
    result.find(
        subject(one.key),
        verdict_pb2.Value(values=expected),
        verdict_pb2.Value(values=actual),
        attempt=attempt,
        rank=one.key.rank,
        iteration=iteration,
    )


def _find_numbers(
    result: check.Check,
    one: trajectory_comparison.Compared,
    attempt: int,
    iteration: int,
    expected: float,
    actual: float,
    *,
    band: float | None,
) -> None:
    """Finds a value that is another one, or too far from it."""
    metric = metrics.BY_NAME.get(one.key.metric)
    precision = metric.precision if metric else metrics.Precision.FLOAT64
    finding = result.find(
        subject(one.key),
        _number(expected, precision, band),
        _number(actual, precision),
        attempt=attempt,
        rank=one.key.rank,
        iteration=iteration,
    )
    # How far apart two digests are says nothing.
    has_distance = precision is not metrics.Precision.DIGEST
    for field, distance in (
        ("absolute", float_compare.absolute(expected, actual)),
        ("relative", float_compare.relative(expected, actual)),
        ("ulps", float_compare.ulps(expected, actual, precision)),
    ):
        if has_distance and distance is not None:
            setattr(finding, field, distance)


def _number(
    value: float, precision: metrics.Precision, band: float | None = None
) -> verdict_pb2.Value:
    return verdict_pb2.Value(
        number=verdict_pb2.Number(
            value=value, precision=_PRECISIONS[precision], band=band
        )
    )
