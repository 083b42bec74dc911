"""Errors that the user can do something about."""

from regress import errors


class BisectError(errors.UserError):
    """The search is not possible. One sentence for the user."""


class ResolutionError(Exception):
    """A release cannot be installed beside what the test needs. A clause."""
