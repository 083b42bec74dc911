"""Errors in cases."""

from regress import errors


class CaseError(errors.UserError):
    """An unusable case. The message has one line per problem."""
