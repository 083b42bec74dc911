"""The supervisor's errors."""

from regress import errors


class SupervisorError(errors.UserError):
    """One sentence for the user, sometimes followed by the end of a log."""
