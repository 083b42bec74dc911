"""What a check's counts say."""

from regress.oracle import verdict_pb2


def failed(check: verdict_pb2.Check) -> bool:
    """Whether anything differs, or nothing was compared."""
    return check.differing > 0 or check.compared == 0
