"""The supervisor's errors."""

from regress import errors


class SupervisorError(errors.UserError):
    """One sentence for the user, sometimes followed by the end of a log."""


class UnreapedError(SupervisorError):
    """Processes that SIGKILL did not end within its bound.

    Whoever catches this should end at once, and without touching files: what
    such a process waits for in the kernel is usually a file system.
    """
