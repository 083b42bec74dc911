"""The command `export`: a golden as Megatron-LM's golden values."""

from collections.abc import Sequence

from regress.golden import files
from tools.golden import arguments as arguments_lib
from tools.golden import command, upstream


def _run(arguments: Sequence[str]) -> int:
    (path,) = command.exactly(arguments, "GOLDEN")
    text = upstream.to_text(files.read(command.path(path)))
    output = arguments_lib.output()
    if output is None:
        print(text)
        return 0
    # As Megatron-LM writes it, without a last newline.
    command.write(output, text)
    print(f"wrote {output}")
    return 0


COMMAND = command.Command(
    "export",
    "GOLDEN [--output]",
    "writes a golden as Megatron-LM's golden values, as JSON.",
    _run,
)
