"""Draws charts as inline SVG, without scripts, fonts or images.

This module imports matplotlib, which takes a second, so tests import it only
after the run.
"""

import contextlib
import dataclasses
import io
import logging
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regress.report.html import interruption_span, palette

# On import, matplotlib looks for all fonts of the machine, logs that, and runs
# a program that may complain. Only its own are needed.
os.environ["MPL_IGNORE_SYSTEM_FONTS"] = "1"
logging.getLogger("matplotlib").setLevel(logging.WARNING)
import matplotlib as mpl  # noqa: E402 # isort: skip
from matplotlib import axes as mpl_axes  # noqa: E402 # isort: skip
from matplotlib.figure import Figure  # noqa: E402 # isort: skip

# A training command that draws is to find the machine's fonts.
del os.environ["MPL_IGNORE_SYSTEM_FONTS"]

# In inches of 72 points. As wide as a phone, so that text has its nominal size
# there.
_WIDTH = 4.8
_FONT = 10
_LINE_POINTS = 13

_STYLE: dict[Any, Any] = {
    "axes.edgecolor": palette.code("faint"),
    "axes.facecolor": "none",
    "axes.labelcolor": palette.code("ink"),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    # Only to measure: the page gives its own font to all text.
    "font.family": "sans-serif",
    "font.size": _FONT,
    "legend.fontsize": _FONT,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "svg.fonttype": "none",
    "text.color": palette.code("ink"),
    "xtick.color": palette.code("ink"),
    "ytick.color": palette.code("ink"),
}


@dataclasses.dataclass(frozen=True)
class Key:
    """An entry of a chart's legend.

    The page renders the legend, because HTML can break lines and matplotlib
    cannot.

    Attributes:
        role: The role of the color.
        text: What the color stands for.
        style: CSS classes of the line sample next to the text.
    """

    role: str
    text: str
    style: str = ""


class Chart:
    """A chart under construction.

    Attributes:
        axes: The axes to draw into, with colors from `palette.code`.
        keys: The entries of the legend.
        svg: The finished chart; "" until `drawing` ends.
    """

    def __init__(self, axes: mpl_axes.Axes) -> None:
        """Creates an empty chart that draws into `axes`."""
        self.axes = axes
        self.keys: list[Key] = []
        self.svg = ""

    def key(self, role: str, text: str, style: str = "") -> None:
        """Adds an entry to the legend."""
        self.keys.append(Key(role, text, style))

    def line(
        self,
        iterations: Sequence[int] | npt.NDArray[np.int64],
        values: Sequence[float] | npt.NDArray[np.float64],
        role: str,
        **style: Any,
    ) -> None:
        """Draws a curve; `style` is passed to matplotlib."""
        self.axes.plot(
            iterations,
            values,
            color=palette.code(role),
            # Lets tests find the curve in the SVG.
            gid=f"curve-{len(self.axes.lines)}",
            **style,
        )

    def mark(self, ran: Sequence[interruption_span.InterruptionSpan]) -> None:
        """Marks the interruptions and what ran twice, and labels the x-axis."""
        for one in ran:
            self._mark(one)
        self.axes.set_xlabel("iteration")
        self.axes.grid(color=palette.code("faint"), alpha=0.25, linewidth=0.5)

    def _mark(self, ran: interruption_span.InterruptionSpan) -> None:
        if ran.resumed_from is not None and ran.interrupted_in is not None:
            self.axes.axvspan(
                ran.resumed_from + 1,
                ran.interrupted_in,
                color=palette.code("faint"),
                alpha=0.15,
                linewidth=0,
            )
        if ran.interrupted_in is not None:
            self._flag(
                ran.interrupted_in, ran.signal, "bad", "-", "interruption", 1
            )
        if ran.resumed_from is not None:
            self._flag(
                ran.resumed_from,
                "resumed",
                "third",
                ":",
                "resume",
                _LINE_POINTS,
            )

    def _flag(
        self,
        iteration: int,
        text: str,
        role: str,
        linestyle: str,
        name: str,
        above: float,
    ) -> None:
        """Draws a vertical line, with its label above the axes.

        Inside of the axes, curves would strike the label through.
        """
        self.axes.axvline(
            iteration,
            color=palette.code(role),
            linewidth=1,
            linestyle=linestyle,
            gid=name,
        )
        self.axes.annotate(
            text,
            (iteration, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, above),
            textcoords="offset points",
            horizontalalignment="center",
            verticalalignment="bottom",
            color=palette.code(role),
            fontsize=_FONT - 1,
        )


@contextlib.contextmanager
def drawing(name: str, label: str, height: float) -> Iterator[Chart]:
    """Makes a chart, whose `svg` is set when the context ends.

    Args:
        name: Name of letters and hyphens, unique in the page.
        label: Description of the chart for screen readers.
        height: Height in inches, for a width of 4.8 inches.

    Yields:
        The chart to draw into.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        chart = Chart(figure.add_subplot())
        yield chart
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(_METADATA))
        chart.svg = _embedded(text.getvalue(), name, label)


_METADATA = ("Creator", "Date", "Format", "Type")


def _embedded(svg: str, name: str, label: str) -> str:
    """Returns only the SVG element, with ids that are unique in the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    # Without a size of its own, the chart is as wide as its column.
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", svg)
    svg = re.sub(
        r'<svg ([^>]*?)height="[^"]*"([^>]*?)width="[^"]*"', r"<svg \1\2", svg
    )
    label = label.replace("&", "&amp;").replace('"', "&quot;")
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    return palette.to_variables(svg)
