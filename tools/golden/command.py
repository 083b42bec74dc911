"""What a command of this program is, and what several commands share."""

import argparse
import dataclasses
import os
import pathlib
from collections.abc import Callable

from regress import errors

# A path that starts with this is relative to the workspace, as a label is.
_WORKSPACE_PREFIX = "//"


class CommandError(errors.UserError):
    """The command cannot be carried out. One sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Command:
    """A row of the table of commands.

    Attributes:
        name: The program's first argument.
        description: What the command does, for `--help`.
        add_arguments: Adds the command's arguments and flags to its parser.
        run: Carries the command out and returns the exit status.
    """

    name: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def add_golden(parser: argparse.ArgumentParser) -> None:
    """Adds the one golden that a command takes."""
    parser.add_argument("golden", metavar="GOLDEN", type=path)


def add_origin(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say what a new golden is for."""
    parser.add_argument(
        "--channel", default="dev", help="the packages' channel (dev)"
    )
    parser.add_argument(
        "--hardware",
        default="none",
        help="the hardware: none, nvidia_h200, ... (none)",
    )


def add_reason(parser: argparse.ArgumentParser) -> None:
    """Adds the flag without which no golden is replaced."""
    parser.add_argument(
        "--reason",
        default="",
        help="why the golden that is there is replaced, in a sentence",
    )


def workspace() -> pathlib.Path:
    """Returns the root of the source tree, as `bazel run` gives it."""
    return pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))


def path(argument: str) -> pathlib.Path:
    """Returns the path that the user means, relative to where they are.

    A path that starts with "//" is relative to the workspace. One that exists
    only in the runfiles is taken from there.
    """
    if argument.startswith(_WORKSPACE_PREFIX):
        return workspace() / argument.removeprefix(_WORKSPACE_PREFIX)
    given = pathlib.Path(argument)
    user = pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", ".")) / given
    return given if given.exists() and not user.exists() else user


def write(output: pathlib.Path, text: str) -> None:
    """Writes a file, and says so.

    Raises:
        CommandError: The file cannot be written.
    """
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{output}: cannot write: {error.strerror}"
        ) from error
    print(f"wrote {output}")
