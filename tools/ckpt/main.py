r"""Compares two checkpoints, or lists one, without the framework they are of.

    tools/bazelw run //tools/ckpt -- diff A B --html=page.html
    tools/bazelw run //tools/ckpt -- show A

A and B are files or folders: Megatron's torch layout, torch.distributed.
checkpoint (torch_dist, FSDP), safetensors or torch.save. `diff` exits with 0 if
they are the same bit for bit, with 1 if they differ and with 2 if they cannot
be compared.
"""

import argparse
import os
import pathlib
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from absl import app
from absl.flags import argparse_flags

from regress import bazel, terminal
from regress import errors as user_errors
from regress.ckpt import difference, entry, formats, output
from regress.ckpt import errors as ckpt_errors
from regress.report.html import checkpoints

_SAME = 0
_DIFFERENT = 1
_CANNOT_COMPARE = 2

# A shell gives this status to a program that SIGPIPE ended.
_BROKEN_PIPE = 128 + signal.SIGPIPE


class PageError(user_errors.UserError):
    """The page cannot be written."""


class _Parser(argparse_flags.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_CANNOT_COMPARE, f"{self.prog}: {message}; see --help\n")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parses the command line; exits if it cannot."""
    parser = _Parser(
        prog="ckpt",
        description=bazel.spelled(__doc__),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    for name, run, names, description in (
        ("diff", _diff, ("A", "B"), "compare two checkpoints bit for bit"),
        ("show", _show, ("A",), "list what a checkpoint holds"),
    ):
        own = commands.add_parser(
            name, help=description, description=description, allow_abbrev=False
        )
        for checkpoint in names:
            own.add_argument(checkpoint.lower(), metavar=checkpoint, type=_path)
        own.add_argument(
            "--json", action="store_true", help="print all of it as JSON"
        )
        if run is _diff:
            own.add_argument(
                "--html",
                metavar="FILE",
                type=_path,
                help="also write a page, which fetches nothing",
            )
        own.set_defaults(run=run)
    return parser.parse_args(argv[1:])


def _path(argument: str) -> pathlib.Path:
    """Returns a path relative to where the user is, not to Bazel's folder."""
    user = os.environ.get("BUILD_WORKING_DIRECTORY", "")
    return pathlib.Path(user, argument)


def _diff(arguments: argparse.Namespace) -> int:
    found = difference.compare(
        formats.find(arguments.a), formats.find(arguments.b)
    )
    render = output.diff_json if arguments.json else output.diff_text
    terminal.show(render(found))
    if arguments.html:
        _write_page(arguments.html, checkpoints.render(found))
    return _SAME if found.same else _DIFFERENT


def _write_page(path: pathlib.Path, page: str) -> None:
    try:
        # A text in a checkpoint may be none that can be encoded.
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise PageError(
            f"The page {path} cannot be written: {error.strerror}."
        ) from error


def _show(arguments: argparse.Namespace) -> int:
    found = formats.find(arguments.a)
    render = output.show_json if arguments.json else output.show_text
    terminal.show(render(found, _entries(found)))
    return _SAME


def _entries(one: formats.Checkpoint) -> Iterator[tuple[str, entry.Entry]]:
    for label, read in one.parts.items():
        try:
            yield from read().items()
        except ckpt_errors.CkptError as error:
            if label not in one.beside:
                raise
            yield label, entry.Plain("not read:", b"", str(error))


def main(arguments: argparse.Namespace) -> int:
    """Runs one command. Returns the exit status.

    An error in the program must not end it with the status of checkpoints that
    differ.
    """
    guard = user_errors.ends_with(_CANNOT_COMPARE)
    return guard(lambda _: _run(arguments))(())


def _run(arguments: argparse.Namespace) -> int:
    try:
        status: int = arguments.run(arguments)
    except BrokenPipeError:
        # `| head` has read enough. Python would complain when it flushes the
        # rest at exit, so let it flush into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return status


if __name__ == "__main__":
    app.run(main, flags_parser=parse)
