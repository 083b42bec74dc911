"""What can be wrong with a case."""


class CaseError(Exception):
    """One sentence for the user, or one a line for each problem found."""
