"""Computes the fingerprint of a case, which ties a golden to the case.

The fingerprint covers every field that affects the trajectory. It excludes the
case's name, how its job is interrupted and launched again, and what is said of
resumes, because the golden is an uninterrupted run.

The fingerprint is the digest of a text format of our own, because protobuf
serialization is deterministic only within one version of one library. The text
has one line per set field, with its full name, sorted by name. It is therefore
independent of the order in the file, of field numbers, and of fields that are
added later but not set.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf import descriptor, message

from regress.case import case_pb2

_NOT_SET = "not set"
_NOT_IN_THE_TRAJECTORY = (
    "name",
    "interruption",
    "relaunch_finished",
    "memory_growth_bound",
)


def fingerprint(case: case_pb2.Case) -> str:
    """Returns the case's fingerprint: a SHA-256, in hex."""
    return hashlib.sha256(canonical_text(case).encode()).hexdigest()


def canonical_text(case: case_pb2.Case) -> str:
    """Returns the text that the fingerprint digests: one line per field."""
    return "".join(f"{line}\n" for line in _lines(shaping(case), ""))


def shaping(case: case_pb2.Case) -> case_pb2.Case:
    """Returns the part of a case that affects the trajectory."""
    part = case_pb2.Case()
    part.CopyFrom(case)
    for field in _NOT_IN_THE_TRAJECTORY:
        part.ClearField(field)
    return part


class Difference(NamedTuple):
    """A field of the case that differs.

    Attributes:
        field: Its full name: "training.iterations", "model.layers[2]".
        old: Its value in the first case; "not set" if it has none.
        new: Its value in the second case, likewise.
    """

    field: str
    old: str
    new: str


def differences(old: case_pb2.Case, new: case_pb2.Case) -> list[Difference]:
    """Returns the fields that give two cases different fingerprints."""
    before, after = _values(old), _values(new)
    return [
        Difference(
            field, before.get(field, _NOT_SET), after.get(field, _NOT_SET)
        )
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    ]


def _values(case: case_pb2.Case) -> dict[str, str]:
    """Returns the value of each set field, with floats in decimal."""
    values = {}
    for line in _lines(shaping(case), ""):
        field, _, value = line.partition(":")
        try:
            # `repr` restores a float, as its hexadecimal digits do.
            text = repr(float.fromhex(value)) if "0x" in value else value
        except ValueError:
            text = value
        values[field] = text.strip() or "set"
    return values


def _lines(part: message.Message, prefix: str) -> Iterator[str]:
    fields: Any = part.DESCRIPTOR.fields_by_name
    for name in sorted(fields):
        field = fields[name]
        path = prefix + name
        value = getattr(part, name)
        if field.is_repeated:
            for index, element in enumerate(value):
                yield from _value_lines(field, element, f"{path}[{index}]")
        elif _is_set(part, field, value):
            yield from _value_lines(field, value, path)


def _value_lines(
    field: descriptor.FieldDescriptor, value: Any, path: str
) -> Iterator[str]:
    if field.message_type is not None:
        # A line of its own tells a message that is set but empty from one that
        # is not set.
        yield f"{path}:"
        yield from _lines(value, f"{path}.")
    else:
        yield f"{path}: {_scalar(field, value)}"


def _is_set(
    part: message.Message, field: descriptor.FieldDescriptor, value: Any
) -> bool:
    if field.has_presence:
        return part.HasField(field.name)
    if isinstance(value, float):
        return struct.pack("<d", value) != bytes(8)
    return bool(value != field.default_value)


def _scalar(field: descriptor.FieldDescriptor, value: Any) -> str:
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return named.name if named else str(value)
    if isinstance(value, float):
        return value.hex()
    # Escapes line breaks in strings, so that each field stays on one line.
    return json.dumps(value)
