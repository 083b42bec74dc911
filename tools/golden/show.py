"""The commands `show` and `plot`: a golden as text, and as curves."""

import argparse
from collections.abc import Iterator

from regress import terminal
from regress.golden import files, float_compare, golden_pb2, metrics
from regress.report import text_layout
from tools.golden import command, comparison


def render(golden: golden_pb2.Golden) -> str:
    """Returns a golden as text: its origin, and one line for each series."""
    lines = [
        *_facts(golden),
        "",
        *_series(golden),
        "",
        *_checkpoints(golden),
        *_history(golden),
    ]
    return "\n".join(lines) + "\n"


def _facts(golden: golden_pb2.Golden) -> Iterator[str]:
    provenance = golden.provenance
    environment = provenance.environment
    imported = provenance.imported
    rows = {
        "case": golden.case_name,
        "fingerprint": provenance.case_fingerprint,
        "corpus": provenance.corpus_digest,
        "channel": golden.channel,
        "hardware": golden.hardware,
        "device": environment.device_name,
        "recorded": provenance.date,
        "repeats": comparison.describe_repeats(golden),
        "iterations": str(golden.iterations),
        "imported": imported.source,
        "": imported.note,
        **{
            name: f"{imported.averages[name]:.6g}" for name in imported.averages
        },
        **environment.versions,
        **environment.settings,
    }
    if imported.source:
        # An imported golden does not say how many runs agreed.
        rows["repeats"] = ""
    width = max(map(len, rows))
    for name, text in rows.items():
        yield from text_layout.wrap(
            text, f"{name:{width}}  ", " " * (width + 2)
        )


def _series(golden: golden_pb2.Golden) -> Iterator[str]:
    rows = [("metric", "ranks", "iterations", "first", "last")]
    for one in golden.series:
        group = f' of group "{one.param_group}"' if one.param_group else ""
        rows.append(
            (
                one.metric + group,
                ",".join(map(str, one.ranks)),
                comparison.describe_iterations(one),
                _short(one, 0),
                _short(one, -1),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *others in rows:
        cells = [f"{name:{widths[0]}}"]
        cells += map(str.rjust, others, widths[1:])
        yield "  ".join(cells)


def _short(one: golden_pb2.Series, place: int) -> str:
    value = one.values[place]
    metric = metrics.BY_NAME.get(one.metric)
    if metric and metric.precision is metrics.Precision.DIGEST:
        return float_compare.text(value, metric.precision)[:9] + "…"
    return f"{value:.6g}"


def _checkpoints(golden: golden_pb2.Golden) -> Iterator[str]:
    if golden.checkpoints:
        at = ", ".join(str(one.iteration) for one in golden.checkpoints)
        yield f"saved states of iterations {at}"


def _history(golden: golden_pb2.Golden) -> Iterator[str]:
    if golden.history:
        yield ""
        yield "It replaced, the oldest first:"
    for one in golden.history:
        yield f"  {one.predecessor_digest[:12]}  on {one.date}: {one.reason}"


def _run(arguments: argparse.Namespace) -> int:
    terminal.show(render(files.read(arguments.golden)).rstrip("\n"))
    return 0


def _add_plot_arguments(parser: argparse.ArgumentParser) -> None:
    command.add_golden(parser)
    parser.add_argument(
        "other",
        metavar="OTHER",
        nargs="?",
        type=command.path,
        help="another golden, drawn over the first",
    )
    parser.add_argument(
        "--output",
        required=True,
        type=command.path,
        help="the HTML file to write",
    )


def _plot(arguments: argparse.Namespace) -> int:
    # Importing matplotlib takes a second, which no other command should pay.
    from regress.report.html import page

    other = files.read(arguments.other) if arguments.other else None
    command.write(
        arguments.output,
        page.render_goldens(files.read(arguments.golden), other),
    )
    return 0


SHOW = command.Command(
    "show",
    "Shows what a golden holds, where it comes from, and what it replaced.",
    command.add_golden,
    _run,
)
PLOT = command.Command(
    "plot",
    "Draws a golden's curves, or those of two goldens and how they differ, "
    "into one HTML file.",
    _add_plot_arguments,
    _plot,
)
