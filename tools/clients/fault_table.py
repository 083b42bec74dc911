"""docs/client_faults.md: the verdicts on seeded faults, at each depth."""

import dataclasses
from collections.abc import Mapping, Sequence

from regress.oracle import verdict_pb2
from regress.testing.client_faults import fault as fault_lib
from tools.docs import markdown_table

# By fault and client, the verdict at each depth.
Verdicts = dict[tuple[str, str], Mapping[int, verdict_pb2.Verdict]]

_DEPTHS = (1, 2)
_NOTHING = "-"

HEAD = """\
# Seeded faults in clients

Each row is a fault that we put into the resume of a client, and what a test of
that client says about it at two [depths](trainers.md): seen from outside, and
observed by hooks. The faults come in as the hooks do, by a `sitecustomize` on
PYTHONPATH, and no line of a script knows of them. Where a fault is of the same
kind as one of our own trainer, it has its name in [faults.md](faults.md).

A cell has the verdict and its first finding: at depth 2 that names what is
lost, on which rank and at which iteration. Each run is interrupted in iteration
20 of 24 and resumes from the save of iteration 16, so 17 is the first iteration
that can be wrong. Each run is observed, and judged at depth 1 without what the
hooks saw. Ranks are forked from a process that has imported the framework, and
are told what torchrun tells its own; of six faults that were run under torchrun
itself, too, all verdicts were the same. What each must be stands in
[`expected.csv`](../regress/testing/client_faults/testdata/expected.csv), and
`//regress/testing/client_faults:client_faults_test` tries a few.

This page is written by

    tools/bazelw run //tools/clients:faults
"""


@dataclasses.dataclass(frozen=True)
class Client:
    """A client into which faults are put.

    Attributes:
        folder: Its script's folder in examples/.
        name: In a reader's words.
        distribution: What its release is the release of.
    """

    folder: str
    name: str
    distribution: str


def render(
    faults: Sequence[fault_lib.Fault],
    clients: Sequence[Client],
    releases: Mapping[str, str],
    verdicts: Verdicts,
    date: str,
) -> str:
    """Returns the page.

    Args:
        faults: All faults, in order.
        clients: The clients, in order.
        releases: By client, the release of its framework.
        verdicts: The verdicts; a fault that a client cannot have has none.
        date: When they were reached.
    """
    columns = [(client, depth) for client in clients for depth in _DEPTHS]
    names = {
        client.folder: f"{client.name} {releases[client.folder]}"
        for client in clients
    }
    return "\n".join(
        [
            HEAD,
            markdown_table.render(
                (
                    "fault",
                    "what happens",
                    *(
                        f"{client.name}, depth {depth}"
                        for client, depth in columns
                    ),
                ),
                [
                    (
                        one.name,
                        one.what,
                        *(
                            _cell(
                                verdicts.get((one.name, client.folder)), depth
                            )
                            for client, depth in columns
                        ),
                    )
                    for one in faults
                ],
            ),
            "",
            *(_count(client, names, verdicts) for client in clients),
            f"Run on {date}, on two cores of a CPU.",
            "",
            "## What nobody can see",
            "",
            "These change nothing that training can see, so a pass at both "
            "depths is right.",
            "",
            markdown_table.render(
                ("fault", "client", "why"),
                _reasons("harmless", faults, clients),
            ),
            "",
            "## What a client cannot have",
            "",
            markdown_table.render(
                ("fault", "client", "why"),
                _reasons("cannot", faults, clients),
            ),
            "",
        ]
    )


def _reasons(
    field: str, faults: Sequence[fault_lib.Fault], clients: Sequence[Client]
) -> list[tuple[str, str, str]]:
    """Returns a line for each reason that faults have in a field."""
    return [
        (one.name, client.name, getattr(one, field)[client.folder])
        for one in faults
        for client in clients
        if client.folder in getattr(one, field)
    ]


def _cell(
    verdicts: Mapping[int, verdict_pb2.Verdict] | None, depth: int
) -> str:
    if verdicts is None:
        return _NOTHING
    return markdown_table.verdict(verdicts[depth])


def _passes(verdict: verdict_pb2.Verdict) -> bool:
    return verdict.conclusion == verdict_pb2.Verdict.PASS


def _count(client: Client, names: Mapping[str, str], verdicts: Verdicts) -> str:
    own = [
        one for (_, folder), one in verdicts.items() if folder == client.folder
    ]
    one, two = (
        sum(not _passes(verdict[depth]) for verdict in own) for depth in _DEPTHS
    )
    return (
        f"Of {len(own)} faults in {names[client.folder]}, {one} fail a test at "
        f"depth 1 and {two} at depth 2."
    )
