"""Which loaded state is the saved state, by rank and component."""

import dataclasses
from collections.abc import Mapping

from regress.oracle import verdict_pb2


@dataclasses.dataclass(frozen=True)
class Cell:
    """What was saved and loaded of a component, on one rank.

    Attributes:
        entries: How many entries either of them has.
        differing: How many of these are not the same, or not in both.
    """

    entries: int
    differing: int


@dataclasses.dataclass(frozen=True)
class Grid:
    """Every component on every rank.

    Attributes:
        iteration: Of the checkpoint.
        ranks: The columns.
        rows: The components, each with a cell for a rank, or None where the
            rank has none of it.
    """

    iteration: int
    ranks: tuple[int, ...]
    rows: Mapping[str, tuple[Cell | None, ...]]


def from_verdict(verdict: verdict_pb2.Verdict) -> Grid | None:
    """The grid of what attempt 1 loaded; None if nothing could be compared."""
    state = verdict.restored_state
    cells = {
        (one.kind, one.rank): Cell(one.entries, one.differing)
        for one in state.kinds
    }
    if not cells:
        return None
    ranks = tuple(sorted({rank for _, rank in cells}))
    rows = {
        kind: tuple(cells.get((kind, rank)) for rank in ranks)
        for kind in sorted({kind for kind, _ in cells})
    }
    return Grid(state.iteration, ranks, rows)
