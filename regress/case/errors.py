"""What can be wrong with a case."""

from regress import errors


class CaseError(errors.UserError):
    """One sentence for the user, or one a line for each problem found."""
