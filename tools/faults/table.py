"""docs/faults.md: the verdict on each fault, and the peer's."""

import dataclasses
from collections.abc import Callable, Sequence

from regress.oracle import verdict_pb2
from regress.testing.faults import expectation
from regress.testing.faults import fault as fault_lib
from tools.docs import markdown_table

_HEAD = """\
# Seeded faults

Each row is a fault that we put into a resume, what our test says about it, and
whether Megatron-LM's functional test would fail on the same run record, by each
of its two comparisons (`tools/faults/peer.py` says how it applies them). The
cause is the verdict's first finding. A fault that needs a chain shows only in
what the resumed run saves, when it is read back or resumed from.
`regress/testing/faults/*_faults.py` says in a sentence what each fault does,
and `//regress/testing/faults:fault_catalogue_test` asserts the verdict and the
cause.

This page is written by

    tools/bazelw run //tools/faults
"""


@dataclasses.dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        fault: A fault of the catalogue.
        verdict: Our test's verdict.
        exact: Whether the peer's exact comparison sees it.
        approximate: Whether the peer's approximate comparison sees it.
    """

    fault: fault_lib.Fault
    verdict: verdict_pb2.Verdict
    exact: bool
    approximate: bool

    @property
    def caught(self) -> bool:
        """Whether our test fails, or says what a rank's memory did."""
        return self.verdict.conclusion != verdict_pb2.Verdict.PASS or bool(
            expectation.grown(self.verdict)
        )


def render(
    rows: Sequence[Row], impossible: Sequence[fault_lib.Impossible]
) -> str:
    """Returns the page.

    Args:
        rows: The faults, in order.
        impossible: The faults that cannot exist here, in order.
    """
    count = len(rows)
    return "\n".join(
        [
            _HEAD,
            markdown_table.render(
                (
                    "fault",
                    "reported in",
                    "ours",
                    "peer, 5-digit exact",
                    "peer, approximate",
                    "needs a chain",
                ),
                [
                    (
                        row.fault.name,
                        row.fault.reference,
                        _ours(row),
                        _seen(row.exact),
                        _seen(row.approximate),
                        _chain(row.fault),
                    )
                    for row in rows
                ],
            ),
            "",
            f"Of {count} faults, ours sees {_count(rows, _caught)}, the peer's "
            f"exact comparison {_count(rows, lambda row: row.exact)}, its "
            "approximate one "
            f"{_count(rows, lambda row: row.approximate)}.",
            "",
            "## What cannot exist here",
            "",
            markdown_table.render(
                ("fault", "reported in", "why"),
                [(one.name, one.reference, one.why) for one in impossible],
            ),
            "",
        ]
    )


def _caught(row: Row) -> bool:
    return row.caught


def _count(rows: Sequence[Row], holds: Callable[[Row], bool]) -> int:
    return sum(holds(row) for row in rows)


def _ours(row: Row) -> str:
    for _, rank in expectation.grown(row.verdict):
        name = markdown_table.verdict(row.verdict)
        return f"{name}, with a finding: memory, rank {rank}"
    by_chance = len(row.fault.expected.ranks) > 1
    return markdown_table.verdict(row.verdict, by_chance=by_chance)


def _chain(one: fault_lib.Fault) -> str:
    """Returns what must follow the first resume for the fault to show."""
    last = max(one.injection.faulty_attempts)
    if last == fault_lib.RELAUNCH:
        return "relaunch"
    if last > 1:
        return "second resume"
    return "read-back" if one.expected.conclusion == "NOT_SAVED" else "no"


def _seen(seen: bool) -> str:
    return "seen" if seen else "**no**"
