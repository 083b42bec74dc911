"""Errors that are reported to the user, and how they end a program.

Every error that a user can act on derives from `UserError`. The user sees only
its message. Any other error that reaches `main` is a bug, and its traceback is
printed.
"""

import functools
import traceback
from collections.abc import Callable, Sequence

from absl import app

from regress import terminal

Main = Callable[[Sequence[str]], int]


class UserError(Exception):
    """An error that the user can act on.

    The message is one sentence, or one line per problem.
    """


def ends_with(status: int) -> Callable[[Main], Main]:
    """Returns a decorator for `main` that turns errors into an exit status.

    Python's own status, 1, will not do, because some programs use it for
    something else. Incorrect flags are left to absl.

    Args:
        status: The exit status if `main` raises an error.
    """

    def decorate(main: Main) -> Main:
        @functools.wraps(main)
        def guarded(argv: Sequence[str]) -> int:
            try:
                return main(argv)
            except app.UsageError:
                raise
            except UserError as error:
                terminal.tell(error)
            except Exception:
                terminal.tell(
                    f"{traceback.format_exc()}"
                    "This error is a bug in the program; please report it."
                )
            return status

        return guarded

    return decorate
