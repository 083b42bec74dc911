"""Runs the fault catalogue, and writes the results to docs/faults.md.

    tools/bazelw run //tools/faults

Exit status: 0 if every fault got the verdict that it must get; 1 if one did
not, or if the control, which has no fault, does not pass, and then nothing is
written; 2 if the catalogue could not be run.
"""

import os
import pathlib
import sys
import tempfile
from collections.abc import Sequence

from absl import app

from regress import errors
from regress.oracle import verdict_pb2
from regress.report import summary
from regress.testing.faults import catalogue, expectation, harness
from regress.testing.faults import fault as fault_lib
from tools.faults import peer, table

_PAGE = pathlib.Path("docs/faults.md")

_NOT_RUN = 2


@errors.ends_with(_NOT_RUN)
def main(argv: Sequence[str]) -> int:
    """Runs the catalogue. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    rows = []
    wrong = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        harness.Harness(pathlib.Path(folder)) as faults,
    ):
        control = faults.control()
        if control.verdict.conclusion != verdict_pb2.Verdict.PASS:
            print(
                "The control, without a fault, must pass: "
                f"{summary.summarize(control.verdict)}",
                file=sys.stderr,
            )
            return 1
        for number, fault in enumerate(catalogue.FAULTS, 1):
            outcome = faults.run(fault)
            problems = expectation.mismatches(fault.expected, outcome.verdict)
            wrong += bool(problems)
            print(
                f"{number} of {len(catalogue.FAULTS)}: {fault.name}:",
                " ".join(problems) or "as expected",
                flush=True,
            )
            rows.append(_row(fault, outcome))
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    (root / _PAGE).write_text(table.render(rows, catalogue.IMPOSSIBLE))
    print(f"wrote {root / _PAGE}")
    if wrong:
        print(
            f"{wrong} of {len(rows)} faults did not get the verdict that they "
            "must.",
            file=sys.stderr,
        )
    return int(wrong > 0)


def _row(fault: fault_lib.Fault, outcome: harness.Outcome) -> table.Row:
    exact, approximate = (
        peer.would_see(mode, outcome.record, outcome.golden).seen
        for mode in (peer.Mode.EXACT_5_DIGITS, peer.Mode.APPROXIMATE)
    )
    return table.Row(fault, outcome.verdict, exact, approximate)


if __name__ == "__main__":
    app.run(main)
