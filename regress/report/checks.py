"""Renders the checks of a verdict: the status of each, and a table of all.

The table has one row per failed check. The other checks are only counted.
"""

import dataclasses
import enum
import itertools

from regress.oracle import verdict_pb2
from regress.report import text_layout

_HEADER = ("oracle", "check", "compared", "differing", "")


class Status(enum.Enum):
    """The outcome of a check. The enum's value is its name in reports.

    Attributes:
        OK: The check compared something, and nothing differs.
        FAIL: The check failed and reached the verdict's conclusion.
        FAILS_TOO: Something differs, but another check decided the verdict.
        NO_DATA: The check compared nothing, but another check decided the
            verdict.
    """

    OK = "ok"
    FAIL = "FAIL"
    FAILS_TOO = "fails too"
    NO_DATA = "no data"


def status_of(
    check: verdict_pb2.Check, concluded: verdict_pb2.Verdict.Conclusion
) -> Status:
    """Returns the status of a check in a verdict with this conclusion."""
    if check.compared and not check.differing:
        return Status.OK
    if check.conclusion == concluded:
        return Status.FAIL
    return Status.FAILS_TOO if check.compared else Status.NO_DATA


@dataclasses.dataclass(frozen=True)
class _Row:
    check: str
    compared: int
    differing: int
    status: Status


def render_table(verdict: verdict_pb2.Verdict) -> list[str]:
    """Renders the checks of a verdict.

    Returns:
        Lines: a header, and for each oracle its failed checks, followed by one
        line for all checks that did not fail.
    """
    rows = [_HEADER]
    for oracle, checks in itertools.groupby(
        verdict.checks, lambda check: check.oracle
    ):
        name = text_layout.words(verdict_pb2.Oracle.Name(oracle))
        for row in _of_oracle(list(checks), verdict.conclusion):
            rows.append(
                (
                    name,
                    row.check,
                    f"{row.compared:,}",
                    f"{row.differing:,}",
                    row.status.value,
                )
            )
            name = ""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (
            f"{oracle:{widths[0]}}  {check:{widths[1]}}"
            f"  {compared:>{widths[2]}}  {differing:>{widths[3]}}  {status}"
        ).rstrip()
        for oracle, check, compared, differing, status in rows
    ]


def _of_oracle(
    checks: list[verdict_pb2.Check],
    concluded: verdict_pb2.Verdict.Conclusion,
) -> list[_Row]:
    rows = [
        _Row(
            check.name,
            check.compared,
            check.differing,
            status_of(check, concluded),
        )
        for check in checks
    ]
    failed = [row for row in rows if row.status != Status.OK]
    fine = [row for row in rows if row.status == Status.OK]
    if not fine:
        return failed
    if len(fine) == 1:
        return failed + fine
    others = " other" if failed else ""
    return [
        *failed,
        _Row(
            f"{len(fine)}{others} checks",
            sum(row.compared for row in fine),
            0,
            Status.OK,
        ),
    ]
