"""A golden as Megatron-LM's golden values, in JSON.

A file has a block for each metric: which steps it is of, and a value for each.
What was imported gives back every byte: its golden says how the file is
written, wherever that does not follow from its series.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from regress.golden import errors, golden_pb2, series

# Megatron-LM's names of metrics, and ours. A metric that only Megatron-LM has
# keeps its name.
METRICS = {
    "lm loss": "lm loss",
    "num-zeros": "zeros in grad",
    "mem-allocated-bytes": "allocated bytes",
    "mem-max-allocated-bytes": "peak allocated bytes",
    "iteration-time": "iteration time",
}
_THEIRS = {ours: theirs for theirs, ours in METRICS.items()}

# The fields of a block, in their usual order; most blocks have no precision.
STEPS = ("start_step", "end_step", "step_interval")
PRECISION = "value_precision"
FIELDS = (*STEPS, PRECISION, "values")

# In place of a value.
MISSING = "nan"

# A list counts what was logged from 0.
FIRST_OF_LIST = 1

_INDENT = 4


def to_text(golden: golden_pb2.Golden) -> str:
    """Returns a golden as the text of a JSON file.

    An imported golden gives back its file byte for byte. A golden of our own
    can be exported, too: metrics that Megatron-LM has no name for are left out,
    nothing is rounded, and the file says so.

    Raises:
        GoldenError: Megatron-LM has no name for any of the metrics, or what an
            imported golden says of its file cannot be.
    """
    if not golden.provenance.HasField("imported"):
        return json.dumps(_own_blocks(golden), indent=_INDENT)
    imported = golden.provenance.imported
    blocks: dict[str, Any] = {
        _THEIRS.get(one.metric, one.metric): _block(
            one,
            one.block if one.HasField("block") else usual_block(one),
            imported.layout.fields or FIELDS,
        )
        for one in golden.series
    }
    blocks |= imported.averages
    text = json.dumps(
        blocks, indent=None if imported.layout.one_line else _INDENT
    )
    return text + "\n" * imported.layout.final_newline


def usual_block(one: golden_pb2.Series) -> golden_pb2.ImportedBlock:
    """Returns the block of a series that has none of its own."""
    iterations = series.iterations_of(one)
    return golden_pb2.ImportedBlock(
        start_step=int(iterations[0]),
        end_step=int(iterations[-1]),
        step_interval=1,
    )


def listed(block: golden_pb2.ImportedBlock) -> Iterator[int]:
    """Yields the iterations that a block has if it leaves none out."""
    first, end, interval = block.start_step, block.end_step, block.step_interval
    if block.list:
        yield from (
            step + FIRST_OF_LIST for step in range(first, end, interval)
        )
        return
    yield first
    yield from range((first // interval + 1) * interval, end + 1, interval)


def _own_blocks(golden: golden_pb2.Golden) -> dict[str, Any]:
    # If several ranks have a metric, the last one wins, which has the loss.
    by_metric = {
        one.metric: one
        for one in sorted(golden.series, key=lambda one: max(one.ranks))
    }
    blocks = {}
    for theirs, ours in METRICS.items():
        if ours in by_metric:
            one = by_metric[ours]
            block = usual_block(one)
            # Without this, Megatron-LM compares five digits.
            block.value_precision = "full"
            blocks[theirs] = _block(one, block, FIELDS)
    if not blocks:
        raise errors.GoldenError(
            f"{golden.case_name} has none of {', '.join(_THEIRS)}"
        )
    return blocks


def _block(
    one: golden_pb2.Series,
    block: golden_pb2.ImportedBlock,
    order: Iterable[str],
) -> dict[str, Any]:
    if block.step_interval < 1:
        raise errors.GoldenError(
            f"the block of {one.metric} has step_interval "
            f"{block.step_interval}, expected at least 1"
        )
    there = dict(
        zip(series.iterations_of(one).tolist(), one.values, strict=True)
    )
    values = {
        str(step): there.get(step, MISSING)
        for step in (listed(block) if block.missing_as_nan else there)
    }
    fields = {
        **{field: getattr(block, field) for field in STEPS},
        PRECISION: block.value_precision,
        "values": list(values.values()) if block.list else values,
    }
    if unknown := [field for field in order if field not in fields]:
        raise errors.GoldenError(f"there is no field {unknown[0]} in a block")
    return {
        field: fields[field]
        for field in order
        if field != PRECISION or block.value_precision
    }
