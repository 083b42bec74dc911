"""The command `diff`: how two goldens differ."""

from collections.abc import Sequence

from regress.golden import files
from tools.golden import command, comparison, comparison_text


def _run(arguments: Sequence[str]) -> int:
    old, new = command.exactly(arguments, "OLD NEW")
    compared = comparison.compare(
        files.read(command.path(old)), files.read(command.path(new))
    )
    print(comparison_text.render(compared), end="")
    return int(compared.numbers_differ)


COMMAND = command.Command(
    "diff",
    "OLD NEW",
    "says how two goldens differ: per metric the first iteration\n"
    "and the largest distance, and what of the environment.\n"
    "Exit status 1 if numbers differ.",
    _run,
)
