"""Errors for checkpoints that cannot be read or written."""

from regress import errors


class CheckpointError(errors.UserError):
    """A checkpoint is missing or damaged. One sentence."""


class CheckpointWriteError(errors.UserError):
    """A checkpoint cannot be written. One sentence."""
