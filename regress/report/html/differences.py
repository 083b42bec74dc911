"""Draws how far each attempt is from the golden, in units in the last place."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import ticker

from regress.golden import (
    float_compare,
    metrics,
    series,
    trajectory_comparison,
)
from regress.report.html import chart, interruption_span, palette

_HEIGHT = 2.4
_ROLES = ("first", "second", "third", "fourth")
_MARKERS = ("o", "s")
_MEASURED = (metrics.Precision.FLOAT32, metrics.Precision.FLOAT64)
_TICKS = 6
# At most this many of a metric's differences are drawn, evenly spaced. A reader
# could not tell more of them apart.
_MOST = 500

# For each metric: iterations, and the distance in each of them in ulps.
Distances = Mapping[str, tuple[list[int], list[int]]]


def distances(
    golden: series.Trajectories, attempt: series.Trajectories
) -> Distances:
    """Returns how far an attempt is from the golden, by metric that differs.

    If a metric differs on several ranks, the lowest rank counts.
    """
    found: dict[str, tuple[list[int], list[int]]] = {}
    for one in trajectory_comparison.compare(golden, attempt):
        key = one.key
        metric = metrics.BY_NAME.get(key.metric)
        if metric is None or metric.precision not in _MEASURED:
            continue
        subject = key.metric + (
            f" {key.param_group}" if key.param_group else ""
        )
        if subject not in found:
            of_key = _of_key(one, metric.precision)
            if of_key[0]:
                found[subject] = of_key
    return found


def draw(
    golden: series.Trajectories,
    attempts: Mapping[str, series.Trajectories],
    ran: Sequence[interruption_span.InterruptionSpan],
    last: int,
) -> chart.Chart:
    """Draws the distances of all metrics that differ, over the iterations.

    Args:
        golden: The golden's metrics.
        attempts: The metrics of each attempt, by name.
        ran: Where the run was interrupted, each time.
        last: The last iteration of the case.
    """
    label = "distance from the golden in units in the last place"
    with chart.drawing("differences", label, _HEIGHT) as it:
        roles: dict[str, str] = {}
        for index, attempt in enumerate(attempts.values()):
            marker = _MARKERS[min(index, 1)]
            for subject, measured in distances(golden, attempt).items():
                role = _ROLES[len(roles) % len(_ROLES)]
                if subject not in roles:
                    roles[subject] = role
                    it.key(role, subject)
                it.line(
                    *measured,
                    roles[subject],
                    linewidth=0.6,
                    marker=marker,
                    markersize=2.5,
                )
        it.axes.axhline(0, color=palette.code("golden"), linewidth=3, zorder=0)
        it.axes.set_yscale("symlog", linthresh=1)
        locator = ticker.SymmetricalLogLocator(base=10, linthresh=1)
        locator.set_params(numticks=_TICKS)
        it.axes.yaxis.set_major_locator(locator)
        it.axes.set_xlim(0, last + 1)
        it.axes.set_ylabel("ulps")
        it.key("golden", "0: the golden's bits", "wide-line")
        if roles:
            # Leaves room above the largest marker.
            it.axes.set_ylim(0, 4 * max(2, it.axes.dataLim.ymax))
            for index, name in enumerate(attempts):
                it.key("faint", name, ("dots", "dots dashed")[min(index, 1)])
        else:
            it.axes.set_ylim(0, 16)
            it.axes.annotate(
                "no difference: every value has the golden's bits",
                (0.5, 0.5),
                xycoords="axes fraction",
                horizontalalignment="center",
            )
        it.mark(ran)
    return it


def _of_key(
    one: trajectory_comparison.Compared, precision: metrics.Precision
) -> tuple[list[int], list[int]]:
    pairs = [
        (iteration, float_compare.ulps(before, after, precision))
        for iteration, before, after in _thinned(one.pairs)
    ]
    # A NaN has no distance, so it cannot be drawn. The findings list it.
    measured = [
        (iteration, ulps) for iteration, ulps in pairs if ulps is not None
    ]
    return [one for one, _ in measured], [ulps for _, ulps in measured]


def _thinned(
    pairs: Sequence[tuple[int, float, float]],
) -> list[tuple[int, float, float]]:
    places: Sequence[int] = range(len(pairs))
    if len(pairs) > _MOST:
        spread = np.linspace(0, len(pairs) - 1, _MOST).astype(np.int64)
        places = spread.tolist()
    return [pairs[place] for place in places]
