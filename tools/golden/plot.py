"""The command `plot`: a golden's curves, or two goldens' beside each other."""

from collections.abc import Sequence

from regress.golden import files
from tools.golden import arguments as arguments_lib
from tools.golden import command

# A golden, and another one over it.
_MOST = 2


def _run(arguments: Sequence[str]) -> int:
    # Only here, as it imports matplotlib, which takes a second.
    from regress.report.html import page

    if not 1 <= len(arguments) <= _MOST:
        command.exactly(arguments, "GOLDEN [OTHER]")
    output = arguments_lib.output()
    if output is None:
        raise command.CommandError("plot needs --output; see --help")
    golden, *others = (files.read(command.path(one)) for one in arguments)
    command.write(
        output, page.render_goldens(golden, others[0] if others else None)
    )
    print(f"wrote {output}")
    return 0


COMMAND = command.Command(
    "plot",
    "GOLDEN [OTHER] --output",
    "draws a golden's curves, or two goldens' and how they differ,\n"
    "into one HTML file.",
    _run,
)
