"""Compares all metrics of all ranks over a range of iterations.

By their bits, but for those that a golden for hardware `any` has a band for.
"""

import types
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from regress.golden import float_compare, metrics, series
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
    for key in series.in_order(expected.keys() | actual.keys()):
        if not steps.get(key.rank):
            continue
        _compare_one(
            _Row(result, key, attempt, bands.get(key.metric)),
            _select(expected, key, steps[key.rank]),
            _select(actual, key, steps[key.rank]),
            steps[key.rank],
        )


def subject(key: series.Key) -> verdict_pb2.Metric:
    """The metric and its param group, without the rank."""
    return verdict_pb2.Metric(name=key.metric, param_group=key.param_group)


class _Row:
    """One metric's findings."""

    def __init__(
        self,
        result: check.Check,
        key: series.Key,
        attempt: int,
        band: float | None,
    ) -> None:
        self._band = band
        self._result = result
        self._key = key
        self._attempt = attempt
        metric = metrics.BY_NAME.get(key.metric)
        self._precision = (
            metric.precision if metric else metrics.Precision.FLOAT64
        )

    def differing(
        self,
        expected: npt.NDArray[np.float64],
        actual: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.bool_]:
        if self._band is None:
            return float_compare.differing(expected, actual)
        return float_compare.outside(expected, actual, self._band)

    def count(self, compared: int, differing: int) -> None:
        self._result.count(compared, differing)

    def find_number(
        self, iteration: int, expected: float, actual: float
    ) -> None:
        # How far apart two digests are says nothing.
        has_distance = self._precision is not metrics.Precision.DIGEST
        finding = self._result.find(
            subject(self._key),
            self._number(expected, self._band),
            self._number(actual),
            attempt=self._attempt,
            rank=self._key.rank,
            iteration=iteration,
        )
        for field, distance in (
            ("absolute", float_compare.absolute(expected, actual)),
            ("relative", float_compare.relative(expected, actual)),
            ("ulps", float_compare.ulps(expected, actual, self._precision)),
        ):
            if has_distance and distance is not None:
                setattr(finding, field, distance)

    def _number(
        self, value: float, band: float | None = None
    ) -> verdict_pb2.Value:
        return verdict_pb2.Value(
            number=verdict_pb2.Number(
                value=value, precision=_PRECISIONS[self._precision], band=band
            )
        )

    def find_count(self, iteration: int, expected: int, actual: int) -> None:
        """Finds that a source has no value, or more than one."""
        self._result.find(
            subject(self._key),
            verdict_pb2.Value(values=expected),
            verdict_pb2.Value(values=actual),
            attempt=self._attempt,
            rank=self._key.rank,
            iteration=iteration,
        )


def _compare_one(
    row: _Row,
    expected: series.Trajectory,
    actual: series.Trajectory,
    steps: range,
) -> None:
    if _has_each_once(expected, steps) and _has_each_once(actual, steps):
        row.count(len(steps), _compare_values(row, expected, actual))
        return
    sizes = expected.iterations.size, actual.iterations.size
    if not any(sizes):
        # Neither source has the metric in these iterations.
        return
    if not all(sizes):
        row.count(len(steps), len(steps))
        row.find_count(steps[0], sizes[0], sizes[1])
        return
    _compare_uneven(row, expected, actual, steps)


def _compare_uneven(
    row: _Row,
    expected: series.Trajectory,
    actual: series.Trajectory,
    steps: range,
) -> None:
    """Compares where values are missing or doubled."""
    iterations = np.arange(steps.start, steps.stop, dtype=np.int64)
    first_expected, count_expected = _align(expected, iterations)
    first_actual, count_actual = _align(actual, iterations)
    comparable = (count_expected == 1) & (count_actual == 1)
    uneven = np.flatnonzero(~comparable)
    row.count(len(steps), int(uneven.size))
    for place in uneven[: check.FINDINGS_KEPT]:
        row.find_count(
            int(iterations[place]),
            int(count_expected[place]),
            int(count_actual[place]),
        )
    differing = _compare_values(
        row,
        series.Trajectory(
            iterations[comparable], expected.values[first_expected[comparable]]
        ),
        series.Trajectory(
            iterations[comparable], actual.values[first_actual[comparable]]
        ),
    )
    row.count(0, differing)


def _compare_values(
    row: _Row, expected: series.Trajectory, actual: series.Trajectory
) -> int:
    """Compares the values of the same iterations; returns how many differ."""
    places = np.flatnonzero(row.differing(expected.values, actual.values))
    for place in places[: check.FINDINGS_KEPT]:
        row.find_number(
            int(expected.iterations[place]),
            float(expected.values[place]),
            float(actual.values[place]),
        )
    return int(places.size)


def _align(
    trajectory: series.Trajectory, iterations: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each iteration, its first place in the trajectory, and its count."""
    order = np.argsort(trajectory.iterations, kind="stable")
    recorded = trajectory.iterations[order]
    left = np.searchsorted(recorded, iterations, "left")
    right = np.searchsorted(recorded, iterations, "right")
    first = order[np.minimum(left, max(recorded.size - 1, 0))]
    return first, right - left


def _select(
    trajectories: series.Trajectories, key: series.Key, steps: range
) -> series.Trajectory:
    trajectory = trajectories.get(key, series.NO_TRAJECTORY)
    return trajectory.between(steps[0], steps[-1])


def _has_each_once(trajectory: series.Trajectory, steps: range) -> bool:
    wanted = np.arange(steps.start, steps.stop)
    return np.array_equal(trajectory.iterations, wanted)
