"""A golden of Megatron-LM's golden values.

All that is of a training is taken, in each of the forms that such files have
had. What exporting could not give back is refused, in a sentence that says
which metric and which step.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from regress.case import limits
from regress.golden import errors, golden_pb2, series
from tools.golden import upstream_export

_STEPS = upstream_export.STEPS
_PRECISION = upstream_export.PRECISION
_FIELDS = upstream_export.FIELDS
_MISSING = upstream_export.MISSING
_EXPECTED = f"{', '.join(_STEPS)} and values"

# Where one of these is, prompts were answered, and nothing was trained.
_OF_INFERENCE = {"generated_text", "generated_tokens"}

_TOO_LARGE = limits.ITERATIONS + 1

_STEP = re.compile(r"[1-9][0-9]{,9}")
_KEY_OF_STEP = re.compile(r'"(\d+)": ')
_SHOWN = 40


def to_golden(
    text: str,
    *,
    case_name: str,
    channel: str,
    hardware: str,
    source: str,
    note: str,
    logging_rank: int = 7,
) -> golden_pb2.Golden:
    """Makes a golden of a JSON file's text.

    Args:
        text: The whole text of the file.
        case_name: The golden's case.
        channel: The golden's channel, such as `dev`.
        hardware: The golden's hardware: `nvidia_h100`, ..., or `any`.
        source: Who recorded the values, and what they call the file.
        note: What is known about the machine and how the values were made.
        logging_rank: The rank that logged the values: the last one, which is 7
            of eight GPUs.

    Raises:
        GoldenError: The text does not have golden values of a training, or
            exporting the golden would not reproduce it.
    """
    entries = _parse(text)
    _check_kind(entries)
    blocks = {k: v for k, v in entries.items() if not isinstance(v, float)}
    all_series = [
        _series(name, block, logging_rank) for name, block in blocks.items()
    ]
    golden = golden_pb2.Golden(
        case_name=case_name,
        channel=channel,
        hardware=hardware,
        provenance=golden_pb2.Provenance(
            imported=golden_pb2.Import(
                source=source,
                source_digest=hashlib.sha256(text.encode()).hexdigest(),
                note=note,
                layout=_layout(text, blocks),
                averages={k: v for k, v in entries.items() if k not in blocks},
            )
        ),
        iterations=max(
            int(series.iterations_of(one)[-1]) for one in all_series
        ),
        series=all_series,
    )
    _check_reproduced(text, upstream_export.to_text(golden), entries)
    return golden


def _parse(text: str) -> dict[str, Any]:
    if not text.strip():
        raise errors.GoldenError("it is empty")
    try:
        entries = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise errors.GoldenError(f"it is not JSON: {error}") from error
    if not isinstance(entries, dict):
        raise errors.GoldenError(
            f"it is {_shown(entries)}, expected a block for each metric"
        )
    return entries


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise errors.GoldenError(f"{_shown(name)} is there twice")
        found[name] = value
    return found


def _check_kind(entries: dict[str, Any]) -> None:
    """Refuses what is not of a training, and says what it is."""
    for name, entry in entries.items():
        fields = [name, *entry] if isinstance(entry, dict) else [name]
        if found := [field for field in fields if field in _OF_INFERENCE]:
            raise errors.GoldenError(
                f"it is of inference, not of training: {_shown(name)} has "
                f"{found[0]}, expected {_EXPECTED}"
            )
        if not name or not name.isprintable():
            raise errors.GoldenError(f"{_shown(name)} names no metric")
    if all(isinstance(entry, float) for entry in entries.values()):
        raise errors.GoldenError("it has no metric with values of steps")


def _series(name: str, entry: Any, logging_rank: int) -> golden_pb2.Series:
    block = _block(name, entry)
    steps, values = _steps_and_values(name, block, entry["values"])
    one = golden_pb2.Series(
        metric=upstream_export.METRICS.get(name, name), ranks=[logging_rank]
    )
    there = []
    for step, value in zip(steps, values, strict=True):
        if value == _MISSING:
            block.missing_as_nan = True
        elif isinstance(value, float) and value == value:
            there.append(step)
            one.values.append(value)
        else:
            raise errors.GoldenError(
                f"{name}, step {step}: the value is {_shown(value)}, expected "
                f'a float, or "{_MISSING}" where there is none'
            )
    if not there:
        raise errors.GoldenError(f"{name} has a value at no step")
    if block.missing_as_nan:
        _check_none_left_out(name, block, steps)
    if there[-1] - there[0] >= len(there):
        one.iterations.extend(there)
    elif there[0] != 1:
        one.first_iteration = there[0]
    if block != upstream_export.usual_block(one):
        one.block.CopyFrom(block)
    return one


def _block(name: str, entry: Any) -> golden_pb2.ImportedBlock:
    """What an entry says of its steps; whether any is missing is not known."""
    if not isinstance(entry, dict):
        raise errors.GoldenError(
            f"{name} is {_shown(entry)}, expected {_EXPECTED}"
        )
    if absent := [one for one in (*_STEPS, "values") if one not in entry]:
        raise errors.GoldenError(f"{name} has no {absent[0]}")
    if unknown := [one for one in entry if one not in _FIELDS]:
        raise errors.GoldenError(
            f"{name} has {_shown(unknown[0])}, expected {_EXPECTED}"
        )
    for field in _STEPS:
        step, least = entry[field], int(field == "step_interval")
        if type(step) is not int or not least <= step < _TOO_LARGE:
            raise errors.GoldenError(
                f"{name} has {_shown(step)} for {field}, expected a whole "
                f"number from {least} to {limits.ITERATIONS}"
            )
    precision = entry.get(_PRECISION, "full")
    if not isinstance(precision, str) or not precision.isidentifier():
        raise errors.GoldenError(
            f'{name} has {_shown(precision)} for {_PRECISION}, expected "full"'
        )
    if not isinstance(entry["values"], dict | list):
        raise errors.GoldenError(
            f"{name} has {_shown(entry['values'])} for values, expected one "
            "for each step"
        )
    return golden_pb2.ImportedBlock(
        **{field: entry[field] for field in _STEPS},
        value_precision=entry.get(_PRECISION, ""),
        list=isinstance(entry["values"], list),
    )


def _steps_and_values(
    name: str, block: golden_pb2.ImportedBlock, values: Any
) -> tuple[Sequence[int], list[Any]]:
    if not block.list:
        return _steps(name, values), list(values.values())
    places = range(block.start_step, block.end_step, block.step_interval)
    if len(values) != len(places):
        raise errors.GoldenError(
            f"{name} has {len(values)} values, expected {len(places)} for "
            f"steps {places.start} to {places.stop}, every {places.step}"
        )
    return list(upstream_export.listed(block)), values


def _steps(name: str, values: dict[str, Any]) -> list[int]:
    steps: list[int] = []
    for key in values:
        step = int(key) if _STEP.fullmatch(key) else 0
        if not 1 <= step < _TOO_LARGE:
            raise errors.GoldenError(
                f"{name}, step {_shown(key)}: expected a whole number from 1 "
                f"to {limits.ITERATIONS}"
            )
        if steps and step <= steps[-1]:
            raise errors.GoldenError(
                f"{name}, step {step}: it comes after step {steps[-1]}"
            )
        steps.append(step)
    return steps


def _check_none_left_out(
    name: str, block: golden_pb2.ImportedBlock, steps: Sequence[int]
) -> None:
    """Refuses "nan" for some of the steps without a value, but not for all."""
    expected = upstream_export.listed(block)
    for step in steps:
        wanted = next(expected, None)
        if step != wanted:
            raise errors.GoldenError(
                f"{name}, step {step}: expected "
                f"{'none' if wanted is None else f'step {wanted}'} here, "
                f'because a block with "{_MISSING}" leaves no step out'
            )
    if (wanted := next(expected, None)) is not None:
        raise errors.GoldenError(
            f'{name} has no step {wanted}, and "{_MISSING}" for others'
        )


def _layout(
    text: str, blocks: dict[str, dict[str, Any]]
) -> golden_pb2.ImportedLayout | None:
    """How the text is written; None if as Megatron-LM's newest are."""
    fields = max(map(list, blocks.values()), key=len)
    usual = [field for field in _FIELDS if field in fields]
    layout = golden_pb2.ImportedLayout(
        one_line="\n" not in text.rstrip("\n"),
        final_newline=text.endswith("\n"),
        fields=[] if fields == usual else fields,
    )
    return layout if layout.ByteSize() else None


def _check_reproduced(text: str, again: str, names: Iterable[str]) -> None:
    """Refuses a text that exporting would not give back, and says where."""
    if again == text:
        return
    pairs = enumerate(zip(text, again, strict=False))
    shorter = min(len(text), len(again))
    first = next((at for at, (one, two) in pairs if one != two), shorter)
    # A number is shown from its first digit on.
    start = max(text.rfind(" ", 0, first), text.rfind("\n", 0, first)) + 1
    before = text[:start]
    where = [f"line {before.count('\n') + 1}"]
    place, name = max((before.rfind(f"{json.dumps(n)}: "), n) for n in names)
    if steps := _KEY_OF_STEP.findall(before, max(place, 0)):
        where.insert(0, f"step {steps[-1]}")
    if place >= 0:
        where.insert(0, name)
    has, written = (
        _shown("".join(one[start:].partition("\n")[:2]))
        for one in (text, again)
    )
    raise errors.GoldenError(
        f"{', '.join(where)}: it has {has}, and exporting would write {written}"
    )


def _shown(value: Any) -> str:
    """A value as JSON, but no longer than a sentence can take."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
