"""Builds the grid of which loaded state equals the saved one."""

import dataclasses
from collections.abc import Mapping

from regress.oracle import verdict_pb2


@dataclasses.dataclass(frozen=True)
class Cell:
    """The comparison of one component's saved and loaded state on one rank.

    Attributes:
        entries: Number of entries in the saved or the loaded state.
        differing: How many of these differ or are missing on one side.
    """

    entries: int
    differing: int


@dataclasses.dataclass(frozen=True)
class Grid:
    """All components on all ranks.

    Attributes:
        iteration: The checkpoint's iteration.
        ranks: The ranks, one per column.
        rows: For each component, one cell per rank; None if the rank does not
            have the component.
    """

    iteration: int
    ranks: tuple[int, ...]
    rows: Mapping[str, tuple[Cell | None, ...]]


def from_verdict(verdict: verdict_pb2.Verdict) -> Grid | None:
    """Returns the grid of what attempt 1 loaded; None if it is empty."""
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
