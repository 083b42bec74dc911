"""What can be wrong with a golden record, or with the runs it is made of."""

from regress import errors


class GoldenError(errors.UserError):
    """One sentence for the user."""
