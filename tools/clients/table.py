"""docs/clients.md: the verdict on each client, at each depth."""

import dataclasses
from collections.abc import Mapping, Sequence

from regress.case import case_pb2
from regress.oracle import verdict_pb2
from tools.clients import clients
from tools.docs import markdown_table

_NOTHING = "-"

HEAD = """\
# Clients

What is true today of frameworks that others train with. Each row is a script in
[`examples/`](../examples) that uses a framework as its guide says, unmodified
and at a release from the package index, and the verdict on a resume of it. The
frameworks' scripts have dropout, shuffled data and three epochs of 24 steps, on
a CPU. No line of a script knows of the test. What a depth is,
[trainers.md](trainers.md) says. A verdict has its first finding; what else is
wrong at depth 2 follows from that. Each case is run once, observed, and judged
at depth 1 without what the hooks saw. What the two depths find of other faults
is in [client_faults.md](client_faults.md).

"not restored" and "reported as" were found by people who read the verdict, the
framework and its issues, and tried what makes such a row pass: the rows that
pass show it. The rest is of the runs. This page is written by

    tools/bazelw run //tools/clients
"""


@dataclasses.dataclass(frozen=True)
class Result:
    """One row of the table.

    Attributes:
        client: The client.
        release: The release of its framework.
        row: What is known of the case.
        case: The case.
        verdicts: By depth, the verdict.
    """

    client: clients.Client
    release: str
    row: clients.Row
    case: case_pb2.CommandCase
    verdicts: Mapping[int, verdict_pb2.Verdict]


def render(results: Sequence[Result]) -> str:
    """Returns the page.

    Args:
        results: The rows, in order; all have the same depths.
    """
    depths = sorted(results[0].verdicts)
    head = (
        "client",
        "ranks",
        "what it does",
        "interruption",
        *(f"depth {depth}" for depth in depths),
        "not restored",
        "reported as",
    )
    return "\n".join(
        [
            HEAD,
            markdown_table.render(
                head, [_cells(result, depths) for result in results]
            ),
            "",
        ]
    )


def _cells(result: Result, depths: Sequence[int]) -> list[str]:
    return [
        f"{result.client.name} {result.release}",
        str(result.case.ranks),
        f"`{result.row.case}`: {result.row.how}",
        clients.interruptions(result.case),
        *(markdown_table.verdict(result.verdicts[depth]) for depth in depths),
        result.row.lost or _NOTHING,
        result.row.issue or _NOTHING,
    ]
