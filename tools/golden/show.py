"""The command `show`: what a golden says, for a reader."""

from collections.abc import Iterator, Sequence

from regress.golden import files, float_compare, golden_pb2, metrics
from regress.report import text_layout
from tools.golden import command, comparison


def render(golden: golden_pb2.Golden) -> str:
    """Renders a golden: where it comes from, and each series in a line."""
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
        **environment.versions,
        **environment.settings,
    }
    if imported.source:
        # What others did not say.
        rows["repeats"] = ""
    width = max(map(len, rows))
    for name, text in rows.items():
        yield from text_layout.wrap(
            text, f"{name:{width}}  ", " " * (width + 2)
        )


def _series(golden: golden_pb2.Golden) -> Iterator[str]:
    yield f"{'metric':50}  {'ranks':>7}  {'first':>10}  {'last':>10}"
    for one in golden.series:
        group = f' of group "{one.param_group}"' if one.param_group else ""
        ranks = ",".join(map(str, one.ranks))
        ends = (_short(one, 0), _short(one, -1))
        yield (
            f"{one.metric + group:50}  {ranks:>7}  {ends[0]:>10}  {ends[1]:>10}"
        )


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


def _run(arguments: Sequence[str]) -> int:
    (path,) = command.exactly(arguments, "GOLDEN")
    print(render(files.read(command.path(path))), end="")
    return 0


COMMAND = command.Command(
    "show",
    "GOLDEN",
    "says what a golden holds, where it comes from, and what it\nreplaced.",
    _run,
)
