"""Draws how far each attempt is from the golden, relative to the values.

Units in the last place would not do: a loss is stored as a float32 and a
gradient norm as a float64, and far numbers have no distance in such units.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from regress.golden import (
    metrics,
    series,
    trajectory_comparison,
)
from regress.report.html import chart, interruption_span, palette

_HEIGHT = 2.6
_ROLES = ("first", "second", "third", "fourth")
# Metrics differ in color and in dash, attempts in the marker.
_LINE_STYLES = ("-", "--", ":", "-.")
_KEY_STYLES = ("", "dashed", "dotted", "dash-dotted")
_MARKERS = ("o", "s", "^", "D")
_MARKER_KEYS = ("dots", "dots square", "dots triangle", "dots diamond")
_MEASURED = (metrics.Precision.FLOAT32, metrics.Precision.FLOAT64)
# Below this, the axis is linear: it is less than the last place of a float64.
_LEAST = 1e-17
_TICKS = {
    0: "0",
    1e-16: "1e-16",
    1e-12: "1e-12",
    1e-8: "1e-8",
    1e-4: "1e-4",
    1: "1",
}
# At most this many of a metric's differences are drawn, evenly spaced. A reader
# could not tell more of them apart.
_MOST = 500

# For each metric: iterations, and the relative distance in each of them.
Distances = Mapping[str, tuple[list[int], list[float]]]


def distances(
    golden: series.Trajectories, attempt: series.Trajectories
) -> Distances:
    """Returns how far an attempt is from the golden, by metric that differs.

    If a metric differs on several ranks, the lowest rank counts.
    """
    found: dict[str, tuple[list[int], list[float]]] = {}
    for one in trajectory_comparison.compare(golden, attempt):
        key = one.key
        metric = metrics.BY_NAME.get(key.metric)
        if metric is None or metric.precision not in _MEASURED:
            continue
        subject = key.metric + (
            f" {key.param_group}" if key.param_group else ""
        )
        if subject not in found:
            of_key = _of_key(one)
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
    label = "relative distance from the golden"
    with chart.drawing("differences", label, _HEIGHT) as it:
        places: dict[str, int] = {}
        for index, attempt in enumerate(attempts.values()):
            marker = _MARKERS[index % len(_MARKERS)]
            for subject, measured in distances(golden, attempt).items():
                if subject not in places:
                    places[subject] = len(places) % len(_ROLES)
                    place = places[subject]
                    it.key(_ROLES[place], subject, _KEY_STYLES[place])
                place = places[subject]
                it.line(
                    *measured,
                    _ROLES[place],
                    linewidth=0.8,
                    linestyle=_LINE_STYLES[place],
                    marker=marker,
                    markersize=3,
                )
        it.axes.axhline(0, color=palette.code("golden"), linewidth=3, zorder=0)
        it.axes.set_yscale("symlog", linthresh=_LEAST)
        it.axes.set_yticks(list(_TICKS), list(_TICKS.values()))
        it.axes.set_yticks([], minor=True)
        # Leaves room above the largest distance, which is 2, and its marker.
        it.axes.set_ylim(0, 20)
        it.axes.set_xlim(0, last + 1)
        same = "" if places else ", which every value has"
        it.key("golden", f"0: the golden's bits{same}", "wide-line")
        if places:
            for index, name in enumerate(attempts):
                it.key("faint", name, _MARKER_KEYS[index % len(_MARKER_KEYS)])
        it.mark(ran)
    return it


def _of_key(
    one: trajectory_comparison.Compared,
) -> tuple[list[int], list[float]]:
    pairs = [
        (iteration, _distance(before, after))
        for iteration, before, after in _thinned(one.pairs)
    ]
    # A NaN has no distance, so it cannot be drawn. The findings list it.
    measured = [
        (iteration, distance)
        for iteration, distance in pairs
        if math.isfinite(distance)
    ]
    return [one for one, _ in measured], [far for _, far in measured]


def _distance(expected: float, actual: float) -> float:
    """Returns the distance over the larger of the two numbers, 0 to 2."""
    largest = max(abs(expected), abs(actual))
    return abs(actual - expected) / largest if largest else 0.0


def _thinned(
    pairs: Sequence[tuple[int, float, float]],
) -> list[tuple[int, float, float]]:
    places: Sequence[int] = range(len(pairs))
    if len(pairs) > _MOST:
        spread = np.linspace(0, len(pairs) - 1, _MOST).astype(np.int64)
        places = spread.tolist()
    return [pairs[place] for place in places]
