"""The command `export`: a golden as Megatron-LM's golden values."""

import pathlib
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
    _write(output, text)
    print(f"wrote {output}")
    return 0


def _write(path: pathlib.Path, text: str) -> None:
    try:
        # As Megatron-LM writes it, without a last newline.
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise command.CommandError(
            f"{path}: cannot write: {error.strerror}"
        ) from error


COMMAND = command.Command(
    "export",
    "GOLDEN [--output]",
    "writes a golden as Megatron-LM's golden values, as JSON.",
    _run,
)
