"""Draws metrics over the iterations: the golden with each attempt over it."""

from collections.abc import Mapping, Sequence
from typing import Any

from regress.golden import series
from regress.report.html import chart, interruption_span

_HEIGHT = 2.4
_ROLES = ("first", "second", "third", "fourth")
# Series differ in color and in dash, for readers who see no colors.
_LINE_STYLES = ("-", "--", ":", "-.")
_KEY_STYLES = ("", "dashed", "dotted", "dash-dotted")
# Where several groups are drawn, the marker tells attempts apart.
_MARKERS = ("", "o", "s", "^")
_MARKER_KEYS = ("", "dots", "dots square", "dots triangle")
_MARKERS_PER_CURVE = 8
_GOLDEN_WIDTH = 4


def draw_metric(
    metric: str,
    golden: series.Trajectories,
    attempts: Mapping[str, series.Trajectories],
    ran: Sequence[interruption_span.InterruptionSpan],
) -> chart.Chart | None:
    """Draws a metric of the step, as recorded by the last rank that has it.

    Args:
        metric: Name of the metric.
        golden: The golden's metrics.
        attempts: The metrics to draw over the golden, by name.
        ran: Where the run was interrupted, each time.

    Returns:
        The chart, or None if neither the golden nor an attempt has the metric.
    """
    keys = [
        key
        for trajectories in (golden, *attempts.values())
        for key in trajectories
        if key.metric == metric
    ]
    if not keys:
        return None
    key = max(keys)
    name = metric.replace(" ", "-")
    with chart.drawing(name, f"{metric} over iterations", _HEIGHT) as it:
        if key in golden:
            it.key("golden", "golden", "wide-line")
            _draw(it, golden[key], "golden", linewidth=_GOLDEN_WIDTH)
        for index, (attempt, trajectories) in enumerate(attempts.items()):
            if key in trajectories:
                place = index % len(_ROLES)
                it.key(_ROLES[place], attempt, _KEY_STYLES[place])
                _draw(
                    it,
                    trajectories[key],
                    _ROLES[place],
                    linestyle=_LINE_STYLES[place],
                )
        it.mark(ran)
    return it


def draw_rates(
    golden: series.Trajectories,
    attempts: Mapping[str, series.Trajectories],
    ran: Sequence[interruption_span.InterruptionSpan],
) -> chart.Chart | None:
    """Draws the learning rate of every param group; None if there is none."""
    groups = _by_values([golden, *attempts.values()])
    if not groups:
        return None
    label = "learning rate of each param group over iterations"
    with chart.drawing("learning-rate", label, _HEIGHT) as it:
        for place, (name, key) in enumerate(groups.items()):
            place %= len(_ROLES)
            role = _ROLES[place]
            it.key(role, name, _KEY_STYLES[place])
            if key in golden:
                _draw(it, golden[key], role, linewidth=_GOLDEN_WIDTH, alpha=0.3)
            for index, trajectories in enumerate(attempts.values()):
                if key in trajectories:
                    values = trajectories[key]
                    _draw(
                        it,
                        values,
                        role,
                        linestyle=_LINE_STYLES[place],
                        marker=_MARKERS[index % len(_MARKERS)],
                        markersize=4,
                        markevery=1
                        + values.iterations.size // _MARKERS_PER_CURVE,
                    )
        for index, name in enumerate(attempts):
            if style := _MARKER_KEYS[index % len(_MARKER_KEYS)]:
                it.key("faint", name, style)
        it.mark(ran)
    return it


def _draw(
    it: chart.Chart, trajectory: series.Trajectory, role: str, **style: Any
) -> None:
    it.line(trajectory.iterations, trajectory.values, role, **style)


def _by_values(
    sources: Sequence[series.Trajectories],
) -> Mapping[str, series.Key]:
    """Merges param groups whose learning rates are the same in all sources.

    Returns:
        For each set of such groups, the key of one of them, by the names of all
        of them.
    """
    found: dict[str, series.Key] = {}
    for trajectories in sources:
        for key in series.in_order(trajectories):
            if key.metric == "learning rate":
                found.setdefault(key.param_group, key)
    alike: dict[tuple[bytes, ...], list[series.Key]] = {}
    for key in found.values():
        values = tuple(
            one[key].values.tobytes() if key in one else b"" for one in sources
        )
        alike.setdefault(values, []).append(key)
    return {
        ", ".join(key.param_group for key in keys): keys[0]
        for keys in alike.values()
    }
