"""Megatron-LM's golden values as golden records, and back.

Its functional tests keep a JSON file for each case, channel and platform: by
metric, the values of each step, rounded to five digits. They come from eight
GPUs, as two replicas of the pipeline, and from a corpus that is not public; so
an imported golden is for reference and no run of this project can pass it.
"""

import hashlib
import json
import pathlib
from typing import Any

from regress.golden import errors, golden_pb2

# Theirs and ours.
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

# Megatron-LM's last rank writes the log that the values are taken from.
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
      text: the whole text of the file.
      case_name: the golden's case.
      channel: `dev` or `lts`.
      hardware: `nvidia_h100`, ..., or `any`.
      source: who recorded it, and its name there.
      note: what is known of the machine, and of how the values were made.

    Raises:
      GoldenError: the text is not that of golden values, or the golden could
        not give it back.
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
      GoldenError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.GoldenError(
            f"{path}: cannot read golden values: {error}"
        ) from error


def to_text(golden: golden_pb2.Golden) -> str:
    """The JSON file's text: what was imported, byte for byte.

    A golden of our own can be exported, too; what Megatron-LM has no name for
    is left out, and nothing is rounded.

    Raises:
      GoldenError: Megatron-LM has a name for none of the metrics.
    """
    # Of a metric on several ranks, the last rank's, which has the loss.
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
        raise ValueError(f"{name} has not a value for each step, in order")
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
