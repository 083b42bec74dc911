"""The commands `import` and `export`, for Megatron-LM's golden values.

Megatron-LM's functional tests keep a JSON file for each case, channel and
platform. It has, for each metric, the values of all steps, rounded to five
digits. They come from eight GPUs, with two replicas of the pipeline, and from a
corpus that is not public. So an imported golden is for reference, and no run of
this project can pass it.
"""

import argparse
import hashlib
import json
import pathlib
from typing import Any

from regress.golden import errors, files, golden_pb2
from tools.golden import command

# Megatron-LM's names of metrics, and ours.
_METRICS = {
    "lm loss": "lm loss",
    "num-zeros": "zeros in grad",
    "mem-allocated-bytes": "allocated bytes",
    "mem-max-allocated-bytes": "peak allocated bytes",
    "iteration-time": "iteration time",
}
_THEIRS = {ours: theirs for theirs, ours in _METRICS.items()}
_FIELDS = ["start_step", "end_step", "step_interval", "values"]
_INDENT = 4

# Megatron-LM takes the values from the log of its last rank.
_LOGGING_RANK = 7


def to_golden(
    text: str,
    *,
    case_name: str,
    channel: str,
    hardware: str,
    source: str,
    note: str,
) -> golden_pb2.Golden:
    """Makes a golden of a JSON file's text.

    Args:
        text: The whole text of the file.
        case_name: The golden's case.
        channel: The golden's channel, such as `dev`.
        hardware: The golden's hardware: `nvidia_h100`, ..., or `any`.
        source: Who recorded the values, and what they call the file.
        note: What is known about the machine and how the values were made.

    Raises:
        GoldenError: The text does not have golden values, or exporting the
            golden would not reproduce it.
    """
    try:
        by_metric = json.loads(text)
        series = [_series(name, one) for name, one in by_metric.items()]
        iterations = max(one["end_step"] for one in by_metric.values())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise errors.GoldenError(
            "not Megatron-LM's golden values, expected for each metric "
            f"{', '.join(_FIELDS)}: {error!r}"
        ) from error
    golden = golden_pb2.Golden(
        case_name=case_name,
        channel=channel,
        hardware=hardware,
        provenance=golden_pb2.Provenance(
            imported=golden_pb2.Import(
                source=source,
                source_digest=hashlib.sha256(text.encode()).hexdigest(),
                note=note,
            )
        ),
        iterations=iterations,
        series=series,
    )
    if to_text(golden) != text.rstrip("\n"):
        raise errors.GoldenError(
            "something of these golden values would be lost: they are not "
            f"written as Megatron-LM writes them, with {_INDENT} blanks for an "
            "indentation and floats for numbers"
        )
    return golden


def read(path: pathlib.Path) -> str:
    """Reads the text of a JSON file.

    Raises:
        GoldenError: The file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.GoldenError(
            f"{path}: cannot read golden values: {error}"
        ) from error


def to_text(golden: golden_pb2.Golden) -> str:
    """Returns a golden as the text of a JSON file.

    An imported golden gives back its file byte for byte. A golden of our own
    can be exported, too: metrics that Megatron-LM has no name for are left out,
    and nothing is rounded.

    Raises:
        GoldenError: Megatron-LM has no name for any of the metrics.
    """
    # If several ranks have a metric, the last one wins, which has the loss.
    by_metric = {
        _THEIRS[one.metric]: _values(one)
        for one in sorted(golden.series, key=lambda one: max(one.ranks))
        if one.metric in _THEIRS
    }
    if not by_metric:
        raise errors.GoldenError(
            f"{golden.case_name} has none of {', '.join(_THEIRS)}"
        )
    ordered = {name: by_metric[name] for name in _METRICS if name in by_metric}
    return json.dumps(ordered, indent=_INDENT)


def _series(name: str, one: dict[str, Any]) -> golden_pb2.Series:
    if sorted(one) != sorted(_FIELDS):
        raise ValueError(f"{name} has {', '.join(one)}")
    if name not in _METRICS:
        raise ValueError(f"there is no metric {name}")
    steps = [
        str(step) for step in range(one["start_step"], one["end_step"] + 1)
    ]
    if one["step_interval"] != 1 or list(one["values"]) != steps:
        raise ValueError(
            f"{name} does not have a value for each step, in order"
        )
    return golden_pb2.Series(
        metric=_METRICS[name],
        ranks=[_LOGGING_RANK],
        values=one["values"].values(),
        first_iteration=one["start_step"] if one["start_step"] != 1 else 0,
    )


def _values(one: golden_pb2.Series) -> dict[str, Any]:
    first = one.first_iteration or 1
    return {
        "start_step": first,
        "end_step": first + len(one.values) - 1,
        "step_interval": 1,
        "values": {
            str(step): value for step, value in enumerate(one.values, first)
        },
    }


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
        "--output",
        required=True,
        type=command.path,
        help="the golden to write; its folder is named like the case",
    )


def _import(arguments: argparse.Namespace) -> int:
    golden = to_golden(
        read(arguments.json),
        # A golden has to be of the case that its path names.
        case_name=arguments.output.absolute().parent.name,
        channel=arguments.channel,
        hardware=arguments.hardware,
        source=arguments.source,
        note=arguments.note,
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
    text = to_text(files.read(arguments.golden))
    if arguments.output is None:
        print(text)
        return 0
    # Megatron-LM's files have no newline at their end.
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
