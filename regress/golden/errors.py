"""Errors in golden records and in the runs that they are recorded from."""

from regress import errors


class GoldenError(errors.UserError):
    """An unusable golden record or run. The message is one sentence."""
