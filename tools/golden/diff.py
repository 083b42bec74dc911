"""The command `diff`: how two goldens differ, in 80 columns."""

import argparse
from collections.abc import Iterator

from regress import terminal
from regress.golden import files
from regress.report import text_layout
from tools.golden import command, comparison

_HEAD = ("first", "differ", "absolute", "relative", "ulps")
_ROW = "{:>9}  {:>9}  {:>12}  {:>9}  {:>20}"


def render(compared: comparison.Comparison) -> str:
    """Returns a comparison as text, with the most important line first."""
    blocks = [
        [_headline(compared)],
        _facts(compared),
        list(_only("old", compared.only_old)),
        list(_only("new", compared.only_new)),
        list(_rows(compared)),
        list(_checkpoints(compared)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _headline(compared: comparison.Comparison) -> str:
    if not compared.numbers_differ:
        return "All numbers and all saved states have the same bits."
    first = min((row.first for row in compared.rows), default=None)
    where = f", first in iteration {first}" if first is not None else ""
    return f"The numbers differ{where}."


def _facts(compared: comparison.Comparison) -> list[str]:
    lines = []
    for name, old, new in compared.facts:
        lines += text_layout.wrap(f"{name}: {old} -> {new}", "  ", "    ")
    return ["Not the same:", *lines] if lines else []


def _only(which: str, names: tuple[str, ...]) -> Iterator[str]:
    if names:
        yield f"Only in the {which} one:"
        for name in names:
            yield from text_layout.wrap(name, "  ", "    ")


def _rows(compared: comparison.Comparison) -> Iterator[str]:
    if not compared.rows:
        return
    yield "Metrics that differ: the first iteration that does, how many do, and"
    yield "the largest distance; below, the old value and the new in the first."
    yield _ROW.format(*_HEAD).rstrip()
    for row in compared.rows:
        yield from text_layout.wrap(f"{row.subject}, {_ranks(row.ranks)}")
        yield _ROW.format(
            row.first,
            f"{row.differing}/{row.compared}",
            _number(row.absolute),
            _number(row.relative),
            f"{row.ulps:,}" if row.ulps is not None else "",
        ).rstrip()
        yield f"           {row.old}"
        yield f"        -> {row.new}"
    yield f"The same: {compared.same} others, by rank and param group."


def _checkpoints(compared: comparison.Comparison) -> Iterator[str]:
    if compared.first_checkpoint is not None:
        yield (
            "Saved states differ from the checkpoint of iteration "
            f"{compared.first_checkpoint} on."
        )


def _ranks(ranks: tuple[int, ...]) -> str:
    return f"rank{'s' if len(ranks) > 1 else ''} {text_layout.numbers(ranks)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", type=command.path)
    parser.add_argument("new", metavar="NEW", type=command.path)


def _run(arguments: argparse.Namespace) -> int:
    compared = comparison.compare(
        files.read(arguments.old), files.read(arguments.new)
    )
    terminal.show(render(compared).rstrip("\n"))
    return int(compared.numbers_differ)


COMMAND = command.Command(
    "diff",
    "Shows how two goldens differ: for each metric the first iteration and "
    "the largest distance, and which facts of the environment. Exits with 1 "
    "if numbers differ.",
    _add_arguments,
    _run,
)
