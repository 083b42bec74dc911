"""The command `import`: Megatron-LM's golden values as a golden record."""

import pathlib
from collections.abc import Sequence

from absl import flags

from regress.golden import files
from tools.golden import arguments as arguments_lib
from tools.golden import command, upstream

_SOURCE = flags.DEFINE_string(
    "source", "", "import: who recorded the values, and their name there."
)
_NOTE = flags.DEFINE_string(
    "note", "", "import: the machine, and how the values were made."
)


def _run(arguments: Sequence[str]) -> int:
    (json_path,) = command.exactly(arguments, "JSON")
    output = arguments_lib.output()
    if not (_SOURCE.value and _NOTE.value and output):
        raise command.CommandError(
            "import needs --source, --note and --output; see --help"
        )
    golden = upstream.to_golden(
        upstream.read(command.path(json_path)),
        # As its path says, so that the two agree.
        case_name=_case_name(output),
        channel=arguments_lib.channel(),
        hardware=arguments_lib.hardware(),
        source=_SOURCE.value,
        note=_NOTE.value,
    )
    files.write(golden, output)
    print(f"wrote {output}")
    return 0


def _case_name(output: pathlib.Path) -> str:
    return output.absolute().parent.name


COMMAND = command.Command(
    "import",
    "JSON --channel --hardware --source --note --output",
    "makes a golden of Megatron-LM's golden values, for reference.",
    _run,
)
