"""What can be wrong with a golden record, or with the runs it is made of."""


class GoldenError(Exception):
    """One sentence for the user."""
