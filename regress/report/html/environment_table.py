"""Environments beside each other, for a reader."""

import dataclasses
from collections.abc import Sequence

from regress.oracle import preconditions
from regress.run import run_pb2


@dataclasses.dataclass(frozen=True)
class Row:
    """One thing of the environment.

    Attributes:
        name: What it is.
        values: In each environment, or "absent".
        differs: Whether these are not all the same.
    """

    name: str
    values: tuple[str, ...]
    differs: bool


@dataclasses.dataclass(frozen=True)
class Table:
    """All things of the environments.

    Attributes:
        columns: Whose environments they are.
        rows: What is in them, the differences first.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def build(columns: Sequence[tuple[str, run_pb2.Environment]]) -> Table | None:
    """The table of environments by whose they are; None if all are empty."""
    named = [(name, one) for name, one in columns if one.ByteSize()]
    if not named:
        return None
    # Whatever is in one of them differs from what nothing has.
    nothing = run_pb2.Environment()
    values = [
        {
            d.name: d.actual
            for d in preconditions.compare_environments(nothing, one)
            if d.actual is not None
        }
        for _, one in named
    ]
    names = list(dict.fromkeys(name for one in values for name in one))
    rows = []
    for name in names:
        of_name = tuple(one.get(name, "absent") for one in values)
        rows.append(Row(name, of_name, len(set(of_name)) > 1))
    rows.sort(key=lambda row: not row.differs)
    return Table(tuple(name for name, _ in named), tuple(rows))
