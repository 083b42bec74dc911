"""Which loaded state is the saved state, by rank and component."""

import dataclasses
from collections.abc import Mapping

from regress.run import run_pb2

_Digest = run_pb2.StateDigest


@dataclasses.dataclass(frozen=True)
class Cell:
    """What was saved and loaded of a component, on one rank.

    Attributes:
      entries: how many entries either of them has.
      differing: how many of these are not the same, or not in both.
    """

    entries: int
    differing: int


@dataclasses.dataclass(frozen=True)
class Grid:
    """Every component on every rank.

    Attributes:
      iteration: of the checkpoint.
      ranks: the columns.
      rows: the components, each with a cell for a rank, or None where the rank
        has none of it.
    """

    iteration: int
    ranks: tuple[int, ...]
    rows: Mapping[str, tuple[Cell | None, ...]]


def of_run(run: run_pb2.RunRecord) -> Grid | None:
    """The grid of what attempt 1 loaded; None if it loaded nothing."""
    saved, loaded = (
        _digests(run, attempt, moment)
        for attempt, moment in ((0, _Digest.SAVED), (1, _Digest.LOADED))
    )
    if not loaded:
        return None
    iteration = min(at for at, _ in loaded)
    ranks = tuple(sorted({rank for _, rank in loaded}))
    cells: dict[str, dict[int, list[bool]]] = {}
    for rank in ranks:
        before = saved.get((iteration, rank), {})
        after = loaded.get((iteration, rank), {})
        for name in before.keys() | after.keys():
            of_component = cells.setdefault(component(name), {})
            same = before.get(name) == after.get(name)
            of_component.setdefault(rank, []).append(same)
    rows = {
        name: tuple(
            Cell(len(by_rank[rank]), by_rank[rank].count(False))
            if rank in by_rank
            else None
            for rank in ranks
        )
        for name, by_rank in sorted(cells.items())
    }
    return Grid(iteration, ranks, rows)


def component(entry: str) -> str:
    """The component of a state entry: "exp_avg", "param group", "rng"."""
    parts = entry.split("/")
    if parts[0].startswith("param group "):
        return "param group"
    if parts[0].startswith("chunk ") and len(parts) > 1:
        return parts[1]
    return parts[0]


def _digests(
    run: run_pb2.RunRecord, attempt: int, moment: _Digest.Moment
) -> dict[tuple[int, int], dict[str, str]]:
    """By iteration and rank, each entry's digest."""
    return {
        (event.state.iteration, rank.rank): {
            entry.name: entry.digest for entry in event.state.entries
        }
        for one in run.attempts[attempt : attempt + 1]
        for rank in one.ranks
        for event in rank.events
        if event.HasField("state") and event.state.moment == moment
    }
