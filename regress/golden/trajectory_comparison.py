"""Compares the metrics of two sources; the only such comparison.

The oracle, the agreement check for a golden's runs, bands, the golden tool, the
crash tests and the HTML report all use it, so no two of them can disagree.
"""

import dataclasses
import types
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from regress.golden import float_compare, series

_NO_BANDS: Mapping[str, float] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, eq=False)
class Compared:
    """The result of comparing one metric on one rank between two sources.

    An iteration for which either source does not have exactly one value counts
    as differing, and its entries in `values` are NaN.

    Attributes:
        key: The metric, its param group, and the rank.
        steps: The iterations that were compared.
        totals: How many values each source has in `steps`.
        iterations: Int64[n], the iterations that differ, ascending.
        values: Float64[2, n], the values of each source in `iterations`.
        counts: Int64[2, n], how many values each source has in `iterations`:
            normally one.
    """

    key: series.Key
    steps: range
    totals: tuple[int, int]
    iterations: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    @property
    def has_values(self) -> npt.NDArray[np.bool_]:
        """Bool[n], True where both sources have exactly one value."""
        one_each: npt.NDArray[np.bool_] = (self.counts == 1).all(axis=0)
        return one_each

    @property
    def pairs(self) -> list[tuple[int, float, float]]:
        """Iteration, expected and actual value, where `has_values` is True."""
        there = self.has_values
        expected, actual = self.values[:, there].tolist()
        return list(
            zip(self.iterations[there].tolist(), expected, actual, strict=True)
        )


def compare(
    expected: series.Trajectories,
    actual: series.Trajectories,
    steps: Mapping[int, range] | None = None,
    bands: Mapping[str, float] = _NO_BANDS,
) -> Iterator[Compared]:
    """Compares every value that either source has, by its bits.

    Args:
        expected: The expected trajectories.
        actual: The actual trajectories.
        steps: The iterations to compare, by rank, counted from 1 and without
            gaps; ranks that are not listed are skipped. If None, all iterations
            that either source has.
        bands: For metrics that may deviate, by name: the largest allowed
            distance as a fraction of the expected value. All other metrics are
            compared by their bits.

    Yields:
        One result per key that either source has in these iterations, sorted as
        by `series.in_order`.
    """
    for key in series.in_order(expected.keys() | actual.keys()):
        before = expected.get(key, series.NO_TRAJECTORY)
        after = actual.get(key, series.NO_TRAJECTORY)
        wanted = _span(before, after) if steps is None else steps.get(key.rank)
        if not wanted:
            continue
        band = bands.get(key.metric)
        before = before.between(wanted)
        after = after.between(wanted)
        if before.covers(wanted) and after.covers(wanted):
            yield _compare_covering(key, before, after, wanted, band)
        elif before.iterations.size or after.iterations.size:
            yield _compare_aligned(key, before, after, wanted, band)


def _span(*trajectories: series.Trajectory) -> range:
    """Returns the range of iterations that the trajectories cover together."""
    iterations = np.concatenate([one.iterations for one in trajectories])
    if not iterations.size:
        return range(0)
    return range(int(iterations.min()), int(iterations.max()) + 1)


def _compare_covering(
    key: series.Key,
    expected: series.Trajectory,
    actual: series.Trajectory,
    steps: range,
    band: float | None,
) -> Compared:
    """Compares trajectories that both cover the steps, the usual case."""
    places = np.flatnonzero(_differing(expected.values, actual.values, band))
    return Compared(
        key,
        steps,
        (len(steps), len(steps)),
        expected.iterations[places],
        np.array([expected.values[places], actual.values[places]]),
        np.ones((2, places.size), np.int64),
    )


def _compare_aligned(
    key: series.Key,
    expected: series.Trajectory,
    actual: series.Trajectory,
    steps: range,
    band: float | None,
) -> Compared:
    """Compares any trajectories, after aligning them with the steps."""
    iterations = np.arange(steps.start, steps.stop, dtype=np.int64)
    sides = [_align(one, iterations) for one in (expected, actual)]
    values = np.stack([side[0] for side in sides])
    counts = np.stack([side[1] for side in sides])
    comparable = (counts == 1).all(axis=0)
    differs = ~comparable
    differs[comparable] = _differing(
        values[0, comparable], values[1, comparable], band
    )
    return Compared(
        key,
        steps,
        (expected.iterations.size, actual.iterations.size),
        iterations[differs],
        np.where(comparable, values, np.nan)[:, differs],
        counts[:, differs],
    )


def _differing(
    expected: npt.NDArray[np.float64],
    actual: npt.NDArray[np.float64],
    band: float | None,
) -> npt.NDArray[np.bool_]:
    if band is None:
        return float_compare.differing(expected, actual)
    return float_compare.outside(expected, actual, band)


def _align(
    trajectory: series.Trajectory, iterations: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Aligns a trajectory with the given iterations.

    Returns:
        For each iteration, its first value, or NaN if there is none, and the
        number of its values.
    """
    order = np.argsort(trajectory.iterations, kind="stable")
    recorded = trajectory.iterations[order]
    left = np.searchsorted(recorded, iterations, "left")
    counts = np.searchsorted(recorded, iterations, "right") - left
    values = np.full(iterations.shape, np.nan)
    there = counts > 0
    values[there] = trajectory.values[order[left[there]]]
    return values, counts
