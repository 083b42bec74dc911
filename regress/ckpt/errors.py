"""Errors for checkpoints that cannot be compared."""

from regress import errors


class CkptError(errors.UserError):
    """A checkpoint cannot be read or compared. One sentence."""
