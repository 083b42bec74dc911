r"""The command line for golden records.

    tools/bazelw run //tools/golden -- COMMAND [ARGUMENT...] [--flag...]

{commands}

Examples:
    tools/bazelw run //tools/golden -- record --case testdata/cases/x.textproto
    tools/bazelw run //tools/golden -- show testdata/golden/x/dev_none.textproto
    tools/bazelw run //tools/golden -- diff OLD.textproto NEW.textproto
    tools/bazelw run //tools/golden -- accept /tmp/candidate_golden.textproto \
        testdata/golden/x/dev_none.textproto --reason="torch 2.14: new kernels"

Paths are relative to where you are; one that begins with "//" is relative to
the workspace.
"""

import sys
import textwrap
from collections.abc import Sequence

from absl import app

from regress.case import errors as case_errors
from regress.golden import errors as golden_errors
from regress.run import attempt_end
from regress.supervisor import cancellation
from regress.supervisor import errors as supervisor_errors
from tools.golden import (
    accept,
    command,
    diff,
    export_command,
    import_command,
    plot,
    record,
    recorder,
    show,
    verify,
)

COMMANDS = (
    record.COMMAND,
    accept.COMMAND,
    show.COMMAND,
    diff.COMMAND,
    plot.COMMAND,
    verify.COMMAND,
    import_command.COMMAND,
    export_command.COMMAND,
)

_USER_ERRORS = (
    case_errors.CaseError,
    command.CommandError,
    golden_errors.GoldenError,
    recorder.RecordError,
    supervisor_errors.SupervisorError,
)


def main(argv: Sequence[str]) -> int:
    """Runs one command. Returns the exit status."""
    try:
        return _command_of(argv).run(argv[2:])
    except _USER_ERRORS as error:
        print(error, file=sys.stderr)
    except cancellation.Cancelled as cancelled:
        print(attempt_end.describe(cancelled.attempt.end), file=sys.stderr)
    return 1


def _command_of(argv: Sequence[str]) -> command.Command:
    by_name = {one.name: one for one in COMMANDS}
    name = argv[1] if len(argv) > 1 else "nothing"
    if name not in by_name:
        raise command.CommandError(
            f"expected one of the commands {', '.join(by_name)}, got {name}; "
            "see --help"
        )
    return by_name[name]


def describe_commands() -> str:
    """The table of commands, for the reader."""
    return "\n".join(
        f"  {one.name} {one.arguments}\n{textwrap.indent(one.what, '      ')}\n"
        for one in COMMANDS
    )


# What absl prints for --help and after a mistake.
__doc__ = (__doc__ or "").replace("{commands}", describe_commands())


if __name__ == "__main__":
    app.run(main)
