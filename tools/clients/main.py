"""Runs every client, and writes the verdicts to docs/clients.md.

    tools/bazelw run //tools/clients

Exit status: 0 if each verdict is as known; 1 if one is not, and then the page
says what is true now; 2 if a client came to no verdict, and nothing is written.
"""

import importlib.metadata
import os
import pathlib
import sys
from collections.abc import Sequence

from absl import app

from regress.case import command_case
from tools.clients import client_run, clients, table

_PAGE = pathlib.Path("docs/clients.md")
_NOT_RUN = 2


def main(argv: Sequence[str]) -> int:
    """Runs the clients. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    results = []
    wrong = 0
    for client in clients.CLIENTS:
        release = importlib.metadata.version(client.distribution)
        for row in client.rows:
            path = str(client.path(row))
            try:
                verdicts = client_run.run_observed(path)
            except client_run.NoVerdictError as error:
                print(error, file=sys.stderr)
                return _NOT_RUN
            problems = [
                f"depth {depth}: {problem}"
                for depth, verdict in verdicts.items()
                for problem in client_run.mismatches(row, verdict, depth)
            ]
            wrong += bool(problems)
            print(f"{path}: {'; '.join(problems) or 'as known'}", flush=True)
            results.append(
                table.Result(
                    client,
                    release,
                    row,
                    command_case.load(path),
                    verdicts,
                )
            )
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    (root / _PAGE).write_text(table.render(results))
    print(f"Wrote {root / _PAGE}.")
    return int(wrong > 0)


if __name__ == "__main__":
    app.run(main)
