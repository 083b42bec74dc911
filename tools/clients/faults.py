"""Runs seeded faults in two clients, and writes docs/client_faults.md.

    tools/bazelw run //tools/clients:faults

Exit status: 0 if every fault got the verdicts that it must get; 1 if one did
not, and then the page says what it got, or if a client does not pass without a
fault, and then nothing is written.
"""

import datetime
import importlib.metadata
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from absl import app

from regress.case import command_case
from regress.oracle import verdict_pb2
from regress.report import summary
from regress.testing.client_faults import catalogue, expectation, harness
from regress.testing.client_faults import fault as fault_lib
from tools.clients import fault_table

_PAGE = pathlib.Path("docs/client_faults.md")
_CASES = pathlib.Path("regress/testing/client_faults/testdata")

_CLIENTS = (
    fault_table.Client(fault_lib.TORCHRUN, "torchrun", "torch"),
    fault_table.Client(fault_lib.LIGHTNING, "Lightning", "lightning"),
)


def main(argv: Sequence[str]) -> int:
    """Runs the faults. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    verdicts: fault_table.Verdicts = {}
    expected = expectation.read()
    wrong = 0
    for client in _CLIENTS:
        with tempfile.TemporaryDirectory() as folder:
            for name, outcome in _run(client, pathlib.Path(folder)):
                if not name:
                    if not _passes(client, outcome.verdicts):
                        return 1
                    continue
                verdicts[name, client.folder] = outcome.verdicts
                problems = [
                    f"depth {depth}: {problem}"
                    for depth, verdict in outcome.verdicts.items()
                    for problem in expectation.mismatches(
                        expected[name, client.folder, depth], verdict
                    )
                ]
                wrong += bool(problems)
                print(
                    f"{client.folder}: {name}:",
                    "; ".join(problems) or "as expected",
                    flush=True,
                )
    releases = {
        client.folder: importlib.metadata.version(client.distribution)
        for client in _CLIENTS
    }
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    (root / _PAGE).write_text(
        fault_table.render(
            catalogue.FAULTS,
            _CLIENTS,
            releases,
            verdicts,
            f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        )
    )
    print(f"Wrote {root / _PAGE}.")
    return int(wrong > 0)


def _run(
    client: fault_table.Client, folder: pathlib.Path
) -> Iterator[tuple[str, harness.Outcome]]:
    """Yields the outcome of each fault of a client; first, "", of none."""
    case = command_case.load(_CASES / f"{client.folder}.textproto")
    with harness.forking(folder, client.distribution) as launcher:
        faults = harness.Harness(case, folder, launcher)
        yield "", faults.control()
        for fault in catalogue.FAULTS:
            if client.folder not in fault.cannot:
                yield fault.name, faults.run(fault)


def _passes(
    client: fault_table.Client, verdicts: Mapping[int, verdict_pb2.Verdict]
) -> bool:
    for depth, verdict in verdicts.items():
        if verdict.conclusion != verdict_pb2.Verdict.PASS:
            print(
                f"{client.folder}: at depth {depth}, a resume without a fault "
                f"must pass: {summary.summarize(verdict)}",
                file=sys.stderr,
            )
            return False
    return True


if __name__ == "__main__":
    app.run(main)
