"""Builds a table that shows environments side by side."""

import dataclasses
from collections.abc import Sequence

from regress.oracle import preconditions
from regress.run import run_pb2

_ABSENT = "absent"


@dataclasses.dataclass(frozen=True)
class Row:
    """One item of the environments.

    Attributes:
        name: Name of the item.
        values: Its value in each environment, or "absent".
        differs: Whether the values are not all the same. A setting that the
            first column names and another does not was not observed there yet,
            and does not differ.
    """

    name: str
    values: tuple[str, ...]
    differs: bool


@dataclasses.dataclass(frozen=True)
class Table:
    """All items of the environments.

    Attributes:
        columns: Whose environments they are: "this run", "golden".
        rows: The items. Those that differ come first.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def build(columns: Sequence[tuple[str, run_pb2.Environment]]) -> Table | None:
    """Builds the table.

    Args:
        columns: The name and the environment of each column.

    Returns:
        The table, without empty environments; None if all are empty.
    """
    named = [(name, one) for name, one in columns if one.ByteSize()]
    if not named:
        return None
    # Comparing with an empty environment lists everything in the other.
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
        of_name = tuple(one.get(name, _ABSENT) for one in values)
        known = {
            value
            for value in of_name
            if value != _ABSENT or name not in named[0][1].settings
        }
        rows.append(Row(name, of_name, len(known) > 1))
    rows.sort(key=lambda row: not row.differs)
    return Table(tuple(name for name, _ in named), tuple(rows))
