"""Exit statuses of ranks, as recorded in the run record."""

import signal

from regress.run import run_pb2

SUCCESS = 0
# Any other failure. Python itself exits with this code, too.
FAILURE = 1
# The checkpoint that the tracker file names is missing or unusable.
DAMAGED_CHECKPOINT = 3
# There is no device, or it is not the declared hardware.
WRONG_ENVIRONMENT = 4


def exited_with(status: run_pb2.ExitStatus, code: int) -> bool:
    """Whether a process exited with the code, and was not ended by a signal.

    The recorded cause does not matter: if a peer ended at the same moment, the
    supervisor may have seen that one first.
    """
    return not status.signal and status.code == code


def order(status: run_pb2.ExitStatus) -> tuple[bool, float]:
    """Returns a key that sorts ranks by which of them ended first.

    A rank that loses a peer raises an exception, so it tells, or a library
    aborts it. What ends in any other way was first, although when it began to
    end is not known: a rank's connections close before its end can be seen.
    """
    may_be_of_a_peer = (
        status.told
        or status.signal == signal.SIGABRT
        # It waited for a peer.
        or status.cause == run_pb2.ExitStatus.HANG
    )
    return may_be_of_a_peer, status.seconds
