"""Checks the rules that a case must obey to be run.

There are two tables: rules for single fields, and relations between fields. A
relation is checked only if no earlier rule rejected any of its fields, so that
one mistake is reported as one problem.

The rules for an interruption hold for every one of them. Each is checked on the
case as it would be if that interruption were the last.
"""

import dataclasses
import math
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from google.protobuf import descriptor

from regress.case import case_pb2, derived, limits

_Case = case_pb2.Case

# Each is an attempt more; nobody needs as many.
_MOST_INTERRUPTIONS = 16


@dataclasses.dataclass(frozen=True)
class _FieldRule:
    """A rule for a single field.

    Attributes:
        field: Full name of the field, as "model.layers".
        expected: What the field must be, in words.
        holds: Returns whether a value obeys the rule.
    """

    field: str
    expected: str
    holds: Callable[[Any], bool]


@dataclasses.dataclass(frozen=True)
class _Relation:
    """A rule that relates several fields.

    Attributes:
        fields: Full names of the fields. A violation is reported for the first.
        expected: Returns what the first field must be, in words that include
            the values of the others.
        holds: Returns whether a case obeys the rule. Called only if no earlier
            rule rejected any of the fields.
    """

    fields: tuple[str, ...]
    expected: Callable[[_Case], str]
    holds: Callable[[_Case], bool]


def problems(case: _Case, path: str | os.PathLike[str]) -> list[str]:
    """Returns all problems of a case, as one sentence each.

    Args:
        case: The case to check.
        path: The file that it was read from.
    """
    found: dict[str, str] = {}
    for last in range(min(max(len(case.interruption), 1), _MOST_INTERRUPTIONS)):
        through = _Case()
        through.CopyFrom(case)
        del through.interruption[last + 1 :]
        if not through.interruption:
            through.interruption.add()
        found |= {
            _place(field, last): f"{_text(through, field)}, expected {expected}"
            for field, expected in _problems(through).items()
        }
    if len(case.interruption) > _MOST_INTERRUPTIONS:
        found["interruption"] = (
            f"there {len(case.interruption)} times, expected at most "
            f"{_MOST_INTERRUPTIONS}"
        )
    name = pathlib.Path(path).stem
    if case.name != name:
        found["name"] = (
            f'"{case.name}", expected "{name}", the file\'s base name'
        )
    return [f"{path}: {field} is {what}" for field, what in found.items()]


def _problems(case: _Case) -> dict[str, str]:
    """What is expected of each field that is wrong, by its full name."""
    found = {
        rule.field: rule.expected
        for rule in FIELD_RULES
        if not rule.holds(_value(case, rule.field))
    }
    for relation in _RELATIONS:
        if found.keys().isdisjoint(relation.fields) and not relation.holds(
            case
        ):
            found[relation.fields[0]] = relation.expected(case)
    return found


def _place(field: str, interruption: int) -> str:
    """A field's name, with the place of its interruption but for the first."""
    if not interruption:
        return field
    return re.sub(r"^interruption\b", f"interruption[{interruption}]", field)


def _value(case: _Case, field: str) -> Any:
    value: Any = case
    for name in field.split("."):
        value = getattr(value, name)
        if name == "interruption":
            value = value[-1]
    return value


def _descriptor(field: str) -> descriptor.FieldDescriptor:
    *parents, name = field.split(".")
    message: Any = _Case.DESCRIPTOR
    for parent in parents:
        message = message.fields_by_name[parent].message_type
    found: descriptor.FieldDescriptor = message.fields_by_name[name]
    return found


def _text(case: _Case, field: str) -> str:
    """Formats the field's value as in a textproto."""
    value = _value(case, field)
    described = _descriptor(field)
    if described.is_repeated:
        return str(list(value))
    if described.enum_type is not None:
        named = described.enum_type.values_by_number.get(value)
        return named.name if named else str(value)
    if isinstance(value, str):
        return f'"{value}"'
    return str(value)


def _rules(
    expected: str, holds: Callable[[Any], bool], fields: Iterable[str]
) -> Iterator[_FieldRule]:
    return (_FieldRule(field, expected, holds) for field in fields)


def _count_rules(most: int, fields: Iterable[str]) -> Iterator[_FieldRule]:
    """Rules for whole numbers by which memory is taken or work is done."""
    return _rules(
        f"a positive number of at most {most}",
        lambda value: 0 < value <= most,
        fields,
    )


def _enum_rules(fields: Iterable[str]) -> Iterator[_FieldRule]:
    for field in fields:
        enum: Any = _descriptor(field).enum_type
        # The zero value named _UNSPECIFIED means that the field was not set.
        values = [
            value
            for value in enum.values
            if not value.name.endswith("_UNSPECIFIED")
        ]
        names = ", ".join(value.name for value in values)
        numbers = frozenset(value.number for value in values)
        yield _FieldRule(field, f"one of {names}", numbers.__contains__)


def _is_split(text: str) -> bool:
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError:
        return False
    return (
        len(weights) == 3
        and all(math.isfinite(w) and w >= 0 for w in weights)
        and weights[0] > 0
    )


def _is_corpus(text: str) -> bool:
    path = pathlib.PurePosixPath(text)
    return (
        bool(text)
        and not path.is_absolute()
        and ".." not in path.parts
        and path.suffix not in (".bin", ".idx")
    )


FIELD_RULES = (
    *_enum_rules(
        (
            "model.implementation",
            "training.precision",
            "optimizer.learning_rate.decay_style",
            "optimizer.param_grouping",
            "interruption.phase",
            "interruption.signal",
        )
    ),
    *_count_rules(limits.RANKS, ("parallelism.pipeline",)),
    *_count_rules(
        limits.ITERATIONS,
        (
            "training.iterations",
            "training.save_interval",
            "interruption.iteration",
        ),
    ),
    *_count_rules(
        limits.SIZE,
        (
            "model.layers",
            "model.hidden_size",
            "model.attention_heads",
            "model.sequence_length",
            "model.vocabulary_size",
            "parallelism.layers_per_virtual_stage",
            "training.micro_batch_size",
            "training.global_batch_size",
        ),
    ),
    *_rules(
        "a positive number",
        lambda value: value > 0 and math.isfinite(value),
        (
            "training.seed",
            "optimizer.epsilon",
            "optimizer.clip_grad",
            "optimizer.learning_rate.max",
            "optimizer.learning_rate.decay_iterations",
            "optimizer.decoupled_learning_rate.max",
        ),
    ),
    *_rules(
        "0 or a positive number",
        lambda value: value >= 0 and math.isfinite(value),
        (
            "optimizer.weight_decay",
            "optimizer.learning_rate.min",
            "optimizer.learning_rate.warmup_iterations",
            "optimizer.decoupled_learning_rate.min",
        ),
    ),
    *_rules(
        "a number of at least 0 and below 1",
        lambda value: 0 <= value < 1,
        ("model.hidden_dropout", "model.attention_dropout"),
    ),
    *_rules(
        "a number between 0 and 1",
        lambda value: 0 < value < 1,
        ("optimizer.beta1", "optimizer.beta2"),
    ),
    _FieldRule(
        "memory_growth_bound",
        "0 for no bound, or a number of at least 1",
        lambda value: value == 0 or (value >= 1 and math.isfinite(value)),
    ),
    _FieldRule(
        "parallelism.tensor",
        "1, the only tensor-parallel size supported",
        lambda size: size == 1,
    ),
    _FieldRule(
        "data.corpus",
        "the path of a .bin and an .idx file in the workspace, without suffix",
        _is_corpus,
    ),
    _FieldRule(
        "data.split",
        'three numbers, the first positive and none negative, as "949,50,1"',
        _is_split,
    ),
    _FieldRule(
        "interruption.ranks",
        "each rank once",
        lambda ranks: len(set(ranks)) == len(ranks),
    ),
)


def _is_at_most(smaller: str, larger: str) -> _Relation:
    return _Relation(
        (smaller, larger),
        lambda case: f"at most {larger} = {_text(case, larger)}",
        lambda case: bool(_value(case, smaller) <= _value(case, larger)),
    )


def _is_multiple_of(multiple: str, divisor: str) -> _Relation:
    return _Relation(
        (multiple, divisor),
        lambda case: f"a multiple of {divisor} = {_text(case, divisor)}",
        lambda case: _value(case, multiple) % _value(case, divisor) == 0,
    )


_LAYERS = (
    "model.layers",
    "parallelism.pipeline",
    "parallelism.layers_per_virtual_stage",
)
_BATCH = ("training.global_batch_size", "training.micro_batch_size")
_INTERRUPTION = (
    "interruption.iteration",
    "interruption.phase",
    "training.save_interval",
)


def _chunks_fit(case: _Case) -> bool:
    parallelism = case.parallelism
    size = parallelism.pipeline * parallelism.layers_per_virtual_stage
    return case.model.layers % size == 0


def _microbatches_fit(case: _Case) -> bool:
    return (
        derived.chunks_per_rank(case) == 1
        or derived.microbatches(case) % case.parallelism.pipeline == 0
    )


def _writes_there(case: _Case) -> bool:
    interruption = case.interruption[-1]
    return (
        interruption.phase != case_pb2.CHECKPOINT_WRITE
        or derived.is_saved_after(case, interruption.iteration)
    )


def _is_heard_in_time(case: _Case) -> bool:
    """Whether the signal arrives before the ranks agree on whether to stop.

    In BETWEEN_STEPS, all ranks but the last have already reported that they
    were not asked to stop.
    """
    interruption = case.interruption[-1]
    last = case.parallelism.pipeline - 1
    return (
        not interruption.graceful
        or interruption.phase != case_pb2.BETWEEN_STEPS
        or not interruption.ranks
        or last in interruption.ranks
    )


_RELATIONS = (
    _Relation(
        _LAYERS,
        lambda case: (
            "a multiple of parallelism.pipeline * "
            "parallelism.layers_per_virtual_stage = "
            f"{case.parallelism.pipeline} * "
            f"{case.parallelism.layers_per_virtual_stage}"
        ),
        _chunks_fit,
    ),
    _is_multiple_of("model.hidden_size", "model.attention_heads"),
    _is_multiple_of("training.global_batch_size", "training.micro_batch_size"),
    # megatron-core's interleaved schedule processes microbatches in groups of
    # the pipeline size.
    _Relation(
        (*_BATCH, *_LAYERS),
        lambda case: (
            "a multiple of training.micro_batch_size * parallelism.pipeline = "
            f"{case.training.micro_batch_size} * {case.parallelism.pipeline}, "
            f"as a rank holds {derived.chunks_per_rank(case)} chunks"
        ),
        _microbatches_fit,
    ),
    _is_at_most("training.save_interval", "training.iterations"),
    _is_at_most("optimizer.learning_rate.min", "optimizer.learning_rate.max"),
    _is_at_most(
        "optimizer.decoupled_learning_rate.min",
        "optimizer.decoupled_learning_rate.max",
    ),
    # megatron-core's scheduler asserts this.
    _Relation(
        (
            "optimizer.learning_rate.warmup_iterations",
            "optimizer.learning_rate.decay_iterations",
        ),
        lambda case: (
            "less than optimizer.learning_rate.decay_iterations = "
            f"{case.optimizer.learning_rate.decay_iterations}"
        ),
        lambda case: (
            case.optimizer.learning_rate.warmup_iterations
            < case.optimizer.learning_rate.decay_iterations
        ),
    ),
    _is_at_most("interruption.iteration", "training.iterations"),
    _Relation(
        ("interruption.iteration",),
        lambda case: (
            "one that the attempt comes to, which resumes from "
            f"{derived.resume_iterations(case)[-2]}"
        ),
        lambda case: (
            case.interruption[-1].iteration
            > derived.resume_iterations(case)[-2]
        ),
    ),
    _Relation(
        _INTERRUPTION,
        lambda case: (
            "a multiple of training.save_interval = "
            f"{case.training.save_interval}, or training.iterations, as no "
            "other iteration has the phase CHECKPOINT_WRITE"
        ),
        _writes_there,
    ),
    _Relation(
        _INTERRUPTION,
        lambda case: (
            "one after a complete checkpoint, which is written every "
            f"training.save_interval = {case.training.save_interval} iterations"
        ),
        lambda case: derived.resume_iterations(case)[-1] > 0,
    ),
    _Relation(
        (*_INTERRUPTION, "training.iterations"),
        lambda case: (
            "one that leaves an iteration to train after the resume from "
            f"{derived.resume_iterations(case)[-1]}, of training.iterations = "
            f"{case.training.iterations}"
        ),
        lambda case: (
            derived.resume_iterations(case)[-1] < case.training.iterations
        ),
    ),
    _Relation(
        ("interruption.graceful", "interruption.signal"),
        lambda case: "false, as only SIGTERM can ask for it",
        lambda case: (
            not case.interruption[-1].graceful
            or case.interruption[-1].signal == case_pb2.SIGTERM
        ),
    ),
    _Relation(
        (
            "interruption.ranks",
            "interruption.graceful",
            "interruption.phase",
            "parallelism.pipeline",
        ),
        lambda case: (
            "the last rank among them, as it is the only one that is still "
            "asked whether to stop in BETWEEN_STEPS"
        ),
        _is_heard_in_time,
    ),
    _Relation(
        ("interruption.ranks", "parallelism.pipeline"),
        lambda case: f"ranks from 0 to {case.parallelism.pipeline - 1}",
        lambda case: all(
            0 <= rank < case.parallelism.pipeline
            for rank in case.interruption[-1].ranks
        ),
    ),
)
