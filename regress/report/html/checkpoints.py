"""Renders the comparison of two checkpoints as a page.

The verdict comes first, then a grid of all state by kind and rank, then what
differs, kind by kind, then what only one side has.
"""

import collections
import dataclasses
from collections.abc import Iterable, Sequence

from regress.ckpt import difference, output, place
from regress.report import text_layout
from regress.report.html import document, marking, state_grid

# So many rows of a table are visible, and so many more after a click; the JSON
# has all. A browser takes its time for more.
_OPEN = 10
_MOST = 1000

# A longer value is cut, before and after the first character that differs.
_BEFORE = 40
_AFTER = 120

_SIDES = {difference.Kind.ONLY_IN_A: "A", difference.Kind.ONLY_IN_B: "B"}


@dataclasses.dataclass(frozen=True)
class _Row:
    where: str
    name: str
    a: marking.Marked
    b: marking.Marked
    distance: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Table:
    """Differences of one kind of state, or what one side alone has."""

    title: str
    first: Sequence[_Row]
    rest: Sequence[_Row]
    more: int
    side: str = ""


def render(found: difference.Comparison) -> str:
    """Returns the text of an HTML file.

    Args:
        found: Two checkpoints, compared.
    """
    common = [one for one in found.differences if one.kind not in _SIDES]
    tables = [
        _table(
            kind, [one for one in common if one.where.kind == kind], one_side=""
        )
        for kind in place.KINDS
    ]
    for kind, side in _SIDES.items():
        alone = [one for one in found.differences if one.kind is kind]
        tables.append(_table(f"only in {side}", alone, one_side=side))
    return document.render(
        "checkpoints.html.jinja",
        title="The same" if found.same else "Different checkpoints",
        good=found.same,
        headline="SAME" if found.same else "DIFFERENT",
        verdict=output.verdict(found).partition(" ")[2],
        checkpoints={
            "A": output.origin(found.a),
            "B": output.origin(found.b),
        },
        counts=[
            f"{number:,} {output.WORDS[kind]}"
            for kind, number in found.counts().items()
            if number
        ],
        columns=[one or "all ranks" for one in _ranks(found.names)],
        rows=_grid(found),
        tables=[one for one in tables if one.first],
        unread=output.unread(found),
        left_out=list(found.left_out.values()),
    )


def _ranks(places: Iterable[place.Place]) -> list[str]:
    return sorted({one.rank for one in places})


def _grid(
    found: difference.Comparison,
) -> dict[str, list[state_grid.Cell | None]]:
    """Returns, by kind, how many names differ, for each rank."""
    differing = collections.Counter(one.where for one in found.differences)
    rows = {}
    for kind in place.KINDS:
        cells = [
            state_grid.Cell(found.names[where], differing[where])
            if where in found.names
            else None
            for where in (
                place.Place(kind, rank) for rank in _ranks(found.names)
            )
        ]
        if any(cells):
            rows[kind] = cells
    return rows


def _table(
    title: str, some: Sequence[difference.Difference], one_side: str
) -> _Table:
    rows = [_row(one) for one in some[:_MOST]]
    return _Table(
        text_layout.sentence(title),
        rows[:_OPEN],
        rows[_OPEN:],
        len(some) - len(rows),
        one_side,
    )


def _row(one: difference.Difference) -> _Row:
    a, b = (
        (_cut(one.a), _cut(one.b))
        if one.kind in _SIDES
        else map(_cut_marked, marking.mark(one.a, one.b))
    )
    rank = one.where.rank
    own = one.name.removeprefix(f"{rank}/") if rank else one.name
    return _Row(rank, own, a, b, tuple(_distance(one)))


def _cut(text: str) -> marking.Marked:
    return _cut_marked(marking.Marked("", "", text))


def _cut_marked(one: marking.Marked) -> marking.Marked:
    same, rest = one.same, one.rest
    if len(same) > _BEFORE:
        same = f"... {same[-_BEFORE:]}"
    if len(rest) > _AFTER:
        rest = f"{rest[:_AFTER]} ..."
    return marking.Marked(same, one.differs, rest)


def _distance(one: difference.Difference) -> list[str]:
    elements = one.elements
    if elements is None:
        shown = one.kind in (difference.Kind.TYPE, difference.Kind.SHAPE)
        return [output.WORDS[one.kind]] if shown else []
    parts = [
        f"{elements.differing:,} of {elements.total:,}",
        f"first at {list(elements.first_index)}",
    ]
    if elements.ulps is not None:
        parts.insert(1, f"up to {output.counted(elements.ulps, 'ulp')}")
    return parts
