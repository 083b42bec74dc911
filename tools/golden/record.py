"""The command `record`: makes the golden of a case."""

import pathlib
import tempfile
from collections.abc import Sequence

from absl import flags

from regress.golden import files, golden_pb2, selection_key
from regress.scenario import launchers
from tools.golden import arguments as arguments_lib
from tools.golden import (
    command,
    comparison,
    comparison_text,
    recorder,
    replacement,
)

_CASE = flags.DEFINE_string("case", "", "record: path of the case's textproto.")
_REPEATS = flags.DEFINE_integer(
    "repeats", 3, "record: runs that must agree.", lower_bound=2
)
_LAUNCHER = flags.DEFINE_enum(
    "launcher", "zygote", launchers.NAMES, "record: how ranks are started."
)
_TRAINER = flags.DEFINE_string(
    "trainer", launchers.TRAINER, "record: the module that is a rank."
)


def _run(arguments: Sequence[str]) -> int:
    command.exactly(arguments, "")
    if not _CASE.value:
        raise command.CommandError("record needs --case; see --help")
    golden = recorder.record_golden(
        recorder.Request(
            case_path=command.path(_CASE.value),
            channel=arguments_lib.channel(),
            hardware=arguments_lib.hardware(),
            repeats=_REPEATS.value,
            launcher=_LAUNCHER.value,
            trainer=_TRAINER.value,
        )
    )
    path = (
        arguments_lib.output()
        or command.workspace()
        / selection_key.path_of(
            selection_key.Selection(
                golden.case_name, golden.channel, golden.hardware
            )
        )
    )
    if not path.exists():
        files.write(golden, path)
        print(f"wrote {path}")
        return 0
    return _replace(golden, path)


def _replace(golden: golden_pb2.Golden, path: pathlib.Path) -> int:
    """Puts the golden in the place of the one that is there, with a reason."""
    compared = comparison.compare(files.read(path), golden)
    print(comparison_text.render(compared), flush=True)
    if arguments_lib.reason():
        files.write(
            replacement.with_history(golden, path, arguments_lib.reason()), path
        )
        print(f"wrote {path}")
        return 0
    if compared.says_nothing_new:
        print(f"{path} says all of it already; nothing was written")
        return 0
    # What took the time to make is not lost.
    candidate = pathlib.Path(tempfile.mkdtemp(), path.name)
    files.write(golden, candidate)
    print(
        f"{path} is not replaced without a reason. To replace it:\n\n"
        f"tools/bazelw run //tools/golden -- accept {candidate} {path}"
        ' --reason="..."'
    )
    return 1


COMMAND = command.Command(
    "record",
    "--case [--channel --hardware --output --reason]",
    "trains a case several times, uninterrupted, and writes its\n"
    "golden if all runs agree to the bit. It replaces another one\n"
    "only for a --reason.",
    _run,
)
