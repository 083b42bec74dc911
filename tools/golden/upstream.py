"""The commands `import` and `export`, for Megatron-LM's golden values.

Megatron-LM's functional tests keep a JSON file for each case, channel and
platform. It has, for each metric, the values of the steps, mostly rounded to
five digits. They come from eight GPUs or more, and from a corpus that is not
public. So an imported golden is for reference, and no run of this project can
pass it.
"""

import argparse
import pathlib
import sys

from regress.golden import errors, files, golden_pb2
from tools.golden import command, upstream_export, upstream_import


def read(
    path: pathlib.Path,
    *,
    case_name: str,
    channel: str,
    hardware: str,
    source: str,
    note: str,
    logging_rank: int = 7,
) -> golden_pb2.Golden:
    """Makes a golden of a JSON file; see `upstream_import.to_golden`.

    Raises:
        GoldenError: The file cannot be read, or is not one to import.
    """
    try:
        # Not `read_text`, which would change the ends of lines.
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.GoldenError(
            f"{path}: cannot read golden values: {error}"
        ) from error
    try:
        return upstream_import.to_golden(
            text,
            case_name=case_name,
            channel=channel,
            hardware=hardware,
            source=source,
            note=note,
            logging_rank=logging_rank,
        )
    except errors.GoldenError as error:
        raise errors.GoldenError(f"{path}: not imported: {error}") from error


def _add_import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "json",
        metavar="JSON",
        type=command.path,
        help="the file of golden values",
    )
    command.add_origin(parser)
    parser.add_argument(
        "--source",
        required=True,
        help="who recorded the values, and what they call the file",
    )
    parser.add_argument(
        "--note",
        required=True,
        help="the machine, and how the values were made",
    )
    parser.add_argument(
        "--logging_rank",
        default=7,
        type=int,
        help="the rank that logged the values, which is the last one (7)",
    )
    parser.add_argument(
        "--output",
        required=True,
        type=command.path,
        help="the golden to write; its folder is named like the case",
    )


def _import(arguments: argparse.Namespace) -> int:
    golden = read(
        arguments.json,
        # A golden has to be of the case that its path names.
        case_name=arguments.output.absolute().parent.name,
        channel=arguments.channel,
        hardware=arguments.hardware,
        source=arguments.source,
        note=arguments.note,
        logging_rank=arguments.logging_rank,
    )
    files.write(golden, arguments.output)
    print(f"wrote {arguments.output}")
    return 0


def _add_export_arguments(parser: argparse.ArgumentParser) -> None:
    command.add_golden(parser)
    parser.add_argument(
        "--output",
        type=command.path,
        help="the JSON file to write, in place of printing it",
    )


def _export(arguments: argparse.Namespace) -> int:
    text = upstream_export.to_text(files.read(arguments.golden))
    if arguments.output is None:
        # Most of Megatron-LM's files have no newline at their end.
        sys.stdout.write(text)
        return 0
    command.write(arguments.output, text)
    return 0


IMPORT = command.Command(
    "import",
    "Makes a golden of Megatron-LM's golden values, for reference.",
    _add_import_arguments,
    _import,
)
EXPORT = command.Command(
    "export",
    "Writes a golden as Megatron-LM's golden values, in JSON.",
    _add_export_arguments,
    _export,
)
