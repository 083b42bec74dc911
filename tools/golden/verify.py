"""The command `verify`: are goldens fit to be compared with?"""

import pathlib
from collections.abc import Sequence

from regress.golden import selection_key
from tools.golden import command, verification


def _run(arguments: Sequence[str]) -> int:
    paths = [command.path(argument) for argument in arguments] or _all()
    found = [
        problem for path in paths for problem in verification.problems(path)
    ]
    for problem in found:
        print(problem)
    print(f"{len(paths)} goldens, {len(found)} problems")
    return int(bool(found) or not paths)


def _all() -> list[pathlib.Path]:
    folder = command.workspace() / selection_key.FOLDER
    return sorted(folder.glob("*/*.textproto"))


COMMAND = command.Command(
    "verify",
    "[GOLDEN...]",
    "checks that goldens, or else all in testdata/golden, are\n"
    "well-formed and complete, have no NaN, are of the case as it\n"
    "is now, and say where they come from.",
    _run,
)
