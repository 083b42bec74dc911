r"""The command line for golden records.

    tools/bazelw run //tools/golden -- COMMAND --help

Examples:
    tools/bazelw run //tools/golden -- record --case testdata/cases/x.textproto
    tools/bazelw run //tools/golden -- show testdata/golden/x/dev_none.textproto
    tools/bazelw run //tools/golden -- diff OLD.textproto NEW.textproto
    tools/bazelw run //tools/golden -- accept /tmp/candidate_golden.textproto \
        testdata/golden/x/dev_none.textproto --reason="torch 2.14: new kernels"

Paths are relative to where you are; one that starts with "//" is relative to
the workspace.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from absl import app
from absl.flags import argparse_flags

from regress import bazel, terminal
from regress import errors as user_errors
from tools.golden import (
    diff,
    recorder,
    replacement,
    show,
    upstream,
    verify,
)

_COMMANDS = (
    recorder.COMMAND,
    replacement.COMMAND,
    show.SHOW,
    diff.COMMAND,
    show.PLOT,
    verify.COMMAND,
    upstream.IMPORT,
    upstream.EXPORT,
)

# A shell gives this status to a program that SIGPIPE ended.
_BROKEN_PIPE = 128 + signal.SIGPIPE


class _Parser(argparse_flags.ArgumentParser):
    """A parser that says what is wrong in one line, and exits with 1."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: {message}; see --help\n")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parses the command line; exits if it cannot."""
    parser = _Parser(
        prog="golden",
        description=bazel.spelled(__doc__),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    for one in _COMMANDS:
        # Flags belong to one command, so that `show --reason` is an error.
        own = commands.add_parser(
            one.name,
            help=one.description,
            description=one.description,
            allow_abbrev=False,
        )
        one.add_arguments(own)
        own.set_defaults(run=one.run)
    return parser.parse_args(argv[1:])


def main(arguments: argparse.Namespace) -> int:
    """Runs one command. Returns the exit status."""
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except user_errors.UserError as error:
        terminal.tell(error)
    except BrokenPipeError:
        # `| head` has read enough. Python would complain when it flushes the
        # rest at exit, so let it flush into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    else:
        return status
    return 1


if __name__ == "__main__":
    app.run(main, flags_parser=parse)
