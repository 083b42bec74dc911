"""What can go wrong between a supervisor and its processes."""


class SupervisorError(Exception):
    """One sentence for the user, at times followed by a log's last lines."""
