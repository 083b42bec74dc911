"""The command `plot`: a golden's curves, or two goldens' beside each other."""

from collections.abc import Sequence

from tools.golden import command


def _run(arguments: Sequence[str]) -> int:
    raise command.CommandError("TODO")


COMMAND = command.Command(
    "plot",
    "GOLDEN [OTHER] --output",
    "draws a golden's curves, or two goldens' and how they differ,\n"
    "into one HTML file.",
    _run,
)
