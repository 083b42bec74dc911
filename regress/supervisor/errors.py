"""What can go wrong between a supervisor and its processes."""

from regress import errors


class SupervisorError(errors.UserError):
    """One sentence for the user, at times followed by a log's last lines."""
