"""Exit codes of ranks, as recorded in the run record."""

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
