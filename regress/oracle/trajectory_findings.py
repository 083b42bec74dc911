"""Turns differences between trajectories into findings.

`regress.golden.trajectory_comparison` makes the comparison itself.
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
    """Compares two sources of metrics over the same iterations.

    Each value that either source has is compared. A value that one source
    lacks, or has twice, differs.

    Args:
        result: The check to which counts and findings are added.
        expected: The expected trajectories.
        actual: The recorded trajectories.
        steps: The iterations to compare, by rank. They count from 1 and have no
            gaps. Ranks that are not in it are not compared.
        attempt: The attempt in which `actual` was recorded.
        bands: The largest allowed deviation from the expected value, as a
            fraction of it, by metric name. A metric without a band must match
            to the bit.
    """
    for one in trajectory_comparison.compare(expected, actual, steps, bands):
        result.count(len(one.steps), int(one.iterations.size))
        if all(one.totals):
            _find(result, one, attempt, bands.get(one.key.metric))
        else:
            # A metric that one source lacks entirely is reported once.
            _find_counts(result, one, attempt, one.steps[0], *one.totals)


def subject(key: series.Key) -> verdict_pb2.Metric:
    """Returns the metric and its param group, without the rank."""
    return verdict_pb2.Metric(name=key.metric, param_group=key.param_group)


def _find(
    result: check.Check,
    one: trajectory_comparison.Compared,
    attempt: int,
    band: float | None,
) -> None:
    """Adds findings for the first iterations that differ."""
    has_values = one.has_values
    for place, iteration in enumerate(
        one.iterations[: check.SUBJECTS_KEPT].tolist()
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
    """Adds a finding that a source has no value, or more than one."""
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
    """Adds a finding that a value differs, or is outside its band."""
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
    # The distance between two digests is meaningless.
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
