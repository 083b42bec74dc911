"""The command line for golden records.

    tools/bazelw run //tools/golden -- record --case testdata/cases/x.textproto

Commands:
  record   trains a case several times, uninterrupted, and writes its golden
           into the source tree if all repeats agree to the bit.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags

from regress.case import errors as case_errors
from regress.golden import errors as golden_errors
from regress.scenario import launchers
from regress.supervisor import cancellation
from regress.supervisor import errors as supervisor_errors
from tools.golden import record

_CASE = flags.DEFINE_string("case", "", "Path of the case's textproto.")
_CHANNEL = flags.DEFINE_enum(
    "channel", "dev", ["dev", "lts"], "The dependencies' channel."
)
_HARDWARE = flags.DEFINE_string(
    "hardware", "none", "What to train on: `none`, `nvidia_h200`, ..."
)
_REPEATS = flags.DEFINE_integer(
    "repeats", 3, "Runs that must agree.", lower_bound=2
)
_LAUNCHER = flags.DEFINE_enum(
    "launcher", "zygote", launchers.NAMES, "How ranks are started."
)
_OUTPUT = flags.DEFINE_string(
    "output",
    "",
    "Where to write; by default the golden's place under testdata/golden.",
)

_USER_ERRORS = (
    case_errors.CaseError,
    golden_errors.GoldenError,
    record.RecordError,
    supervisor_errors.SupervisorError,
)


def main(argv: Sequence[str]) -> int:
    """Runs one command. Returns the exit status."""
    if len(argv) != 2 or argv[1] != "record":
        given = " ".join(argv[1:]) or "nothing"
        raise app.UsageError(f"Expected the command record; got {given}.")
    if not _CASE.value:
        raise app.UsageError("record needs --case.")
    # Where the user is, not Bazel's runfiles.
    user = pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    try:
        path = record.record_golden(
            record.Request(
                case_path=user / _CASE.value,
                channel=_CHANNEL.value,
                hardware=_HARDWARE.value,
                repeats=_REPEATS.value,
                launcher=_LAUNCHER.value,
                root=root,
                output=user / _OUTPUT.value if _OUTPUT.value else None,
            )
        )
    except _USER_ERRORS as error:
        print(error, file=sys.stderr)
        return 1
    except cancellation.Cancelled as cancelled:
        print(cancelled.attempt.ended_because, file=sys.stderr)
        return 1
    print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    app.run(main)
