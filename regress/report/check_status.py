"""What a check's outcome says beside the verdict."""

import enum

from regress.oracle import verdict_pb2


class Status(enum.Enum):
    """How a check ended; the value is the word for it.

    Attributes:
        OK: It compared something, and nothing differs.
        FAIL: It failed, and concludes what the verdict concludes.
        FAILS_TOO: Something differs, but another check decided.
        NO_DATA: It compared nothing, and another check decided.
    """

    OK = "ok"
    FAIL = "FAIL"
    FAILS_TOO = "fails too"
    NO_DATA = "no data"


def status_of(
    check: verdict_pb2.Check, concluded: verdict_pb2.Verdict.Conclusion
) -> Status:
    """The status of a check in a verdict with this conclusion."""
    if check.compared and not check.differing:
        return Status.OK
    if check.conclusion == concluded:
        return Status.FAIL
    return Status.FAILS_TOO if check.compared else Status.NO_DATA
