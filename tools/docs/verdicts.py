"""Renders docs/verdicts.md, and a table of README.md, from the oracle's.

Usage: `tools/bazelw run //tools/docs:verdicts`, which writes both into the
source tree. A test says when a committed one is out of date.
"""

import inspect
import os
import pathlib
from collections.abc import Iterator, Sequence

from absl import app

from regress.oracle import conclusions, repeat_oracle, rules, verdict_pb2

PATH = pathlib.PurePath("docs/verdicts.md")
README = pathlib.PurePath("README.md")

_README_HEAD = """\
| verdict | what happened | what to run next |
|---|---|---|
"""


def render() -> str:
    """The whole file."""
    return "\n".join([*_intro(), *_classes(), *_checks(), *_repeat()])


def _intro() -> Iterator[str]:
    yield "<!-- Written by `tools/bazelw run //tools/docs:verdicts`. -->"
    yield ""
    yield "# Verdicts"
    yield ""
    yield (
        "Every check names what its failure means. Several may fail for one "
        "cause, so the classes have an order, from the cause to what follows "
        "from it: the first that some check came to is the verdict. A run that "
        "no check faults passes; a check that finds nothing to compare fails."
    )
    yield ""


def _classes() -> Iterator[str]:
    yield "## The classes, in their order"
    yield ""
    for place, one in enumerate(conclusions.ORDER, 1):
        yield f"### {place}. {one.name}"
        yield ""
        yield one.when
        yield ""
        yield f"- Why here: {one.why_here}"
        names = [
            f"*{rule.name}*" for rule in rules.ALL if one.reached in _of(rule)
        ]
        yield f"- Concluded by: {', '.join(names)}."
        yield f"- Next: {one.next_step}"
        yield ""
    name = conclusions.PASS.name
    yield f"### {name[:1].upper()}{name[1:]}"
    yield ""
    yield conclusions.PASS.when
    yield ""


def _checks() -> Iterator[str]:
    yield "## What was observed, and what it means"
    yield ""
    yield "| oracle | check | it asks | if not | if nothing was compared |"
    yield "|---|---|---|---|---|"
    for rule in sorted(rules.ALL, key=lambda one: one.oracle):
        empty = rule.conclusion if rule.if_empty is None else rule.if_empty
        cells = (
            verdict_pb2.Oracle.Name(rule.oracle).replace("_", " ").lower(),
            rule.name,
            rule.asks,
            conclusions.BY_CLASS[rule.conclusion].name,
            conclusions.BY_CLASS[empty].name,
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _repeat() -> Iterator[str]:
    """The oracle's own words: its table stands in its docstring."""
    _, _, text = inspect.cleandoc(repeat_oracle.__doc__ or "").partition("\n\n")
    yield "## The repeat of attempt 0"
    yield ""
    yield from (line.removeprefix("    ") for line in text.splitlines())
    yield ""


def _of(rule: rules.Rule) -> tuple[int, ...]:
    return rule.conclusion, rule.if_empty or rule.conclusion


def render_readme(text: str) -> str:
    """README.md with its table of conclusions as it must be.

    Args:
        text: The file.

    Raises:
        ValueError: The table's head is not in it, or there twice.
    """
    before, head, after = text.partition(_README_HEAD)
    if not head or _README_HEAD in after:
        raise ValueError(f"{README} must have one table with {_README_HEAD!r}")
    _, blank_line, rest = after.partition("\n\n")
    rows = [
        f"| {one.name} | {one.lead} | {one.advice.value} |"
        for one in conclusions.ORDER
    ]
    return before + head + "\n".join(rows) + blank_line + rest


def main(argv: Sequence[str]) -> None:
    """Writes the files."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    (root / PATH).write_text(render())
    readme = root / README
    readme.write_text(render_readme(readme.read_text()))
    print(f"Wrote {PATH} and the table of {README}.")


if __name__ == "__main__":
    app.run(main)
