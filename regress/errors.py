"""Errors that are told to a user, and how a program ends by one.

What a user can do something about derives from `UserError`, and its message is
all that the user is told. Any other error that reaches the top of a program is
a bug in it: the traceback says where.
"""

import functools
import sys
import traceback
from collections.abc import Callable, Sequence

from absl import app

Main = Callable[[Sequence[str]], int]


class UserError(Exception):
    """What is wrong: a sentence, or a line for each problem."""


def ends_with(status: int) -> Callable[[Main], Main]:
    """Returns a decorator for a program's `main`.

    An error has a status of its own, since Python's, which is 1, means
    something else in some programs. A wrong use of the flags is left to absl.

    Args:
        status: The exit status of a program that ends by an error.
    """

    def decorate(main: Main) -> Main:
        @functools.wraps(main)
        def guarded(argv: Sequence[str]) -> int:
            try:
                return main(argv)
            except app.UsageError:
                raise
            except UserError as error:
                print(error, file=sys.stderr)
            except Exception:
                traceback.print_exc()
                print(
                    "This error is a bug in the program; please report it.",
                    file=sys.stderr,
                )
            return status

        return guarded

    return decorate
