"""What a command of this program is, and what its commands are told."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence

# A path that begins so is the workspace's, as a label is.
_OF_WORKSPACE = "//"


class CommandError(Exception):
    """The command cannot be carried out. One sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Command:
    """A row of the table of commands.

    Attributes:
      name: its first argument.
      arguments: what follows the name, for the reader: "GOLDEN...".
      what: what it does, for the reader; lines of at most 60 columns.
      run: carries it out with the arguments that follow the name, and returns
        the exit status.
    """

    name: str
    arguments: str
    what: str
    run: Callable[[Sequence[str]], int]


def workspace() -> pathlib.Path:
    """The root of the source tree, where `bazel run` says it is."""
    return pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))


def path(argument: str) -> pathlib.Path:
    """A path that the user gave: relative to where they are.

    One that begins with "//" is relative to the workspace, and one that is only
    in the runfiles is taken from there.
    """
    if argument.startswith(_OF_WORKSPACE):
        return workspace() / argument.removeprefix(_OF_WORKSPACE)
    given = pathlib.Path(argument)
    user = pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", ".")) / given
    return given if given.exists() and not user.exists() else user


def exactly(arguments: Sequence[str], names: str) -> list[str]:
    """Checks that there are as many arguments as names.

    Raises:
      CommandError: there are not.
    """
    wanted = names.split()
    if len(arguments) != len(wanted):
        given = " ".join(arguments) or "nothing"
        raise CommandError(f"expected {names or 'no argument'}, got {given}")
    return list(arguments)


def write(output: pathlib.Path, text: str) -> None:
    """Writes a file.

    Raises:
      CommandError: it cannot be written.
    """
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{output}: cannot write: {error.strerror}"
        ) from error
