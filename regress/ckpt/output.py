"""Writes a comparison, or one checkpoint, as text and as JSON."""

import json
from collections.abc import Iterable
from typing import Any

from regress.ckpt import difference, entry, formats

# How many differences the text names; the JSON names all.
MOST_NAMES = 20

# A longer value or name is cut in the text.
_MOST_LETTERS = 60
_MOST_LETTERS_OF_NAME = 160

WORDS = {
    difference.Kind.ONLY_IN_A: "only in A",
    difference.Kind.ONLY_IN_B: "only in B",
    difference.Kind.TYPE: "other type",
    difference.Kind.SHAPE: "other shape",
    difference.Kind.VALUE: "other value",
}


def diff_text(found: difference.Comparison) -> str:
    """Returns a comparison for a reader in a hurry: the verdict comes first."""
    names = unread(found)
    lines = [
        verdict(found),
        f"A: {origin(found.a)}",
        f"B: {origin(found.b)}",
        *([f"Not compared: {', '.join(names)}"] if names else []),
        *(f"Not compared: {why}" for why in found.left_out.values()),
    ]
    counts = [
        f"{number:,} {WORDS[kind]}"
        for kind, number in found.counts().items()
        if number
    ]
    if counts:
        lines += [f"Differences: {', '.join(counts)}.", ""]
    for one in found.differences[:MOST_NAMES]:
        lines.append(f"{WORDS[one.kind]}: {_cut(one.name, of_name=True)}")
        lines.append(f"    {_detail(one)}")
    more = len(found.differences) - MOST_NAMES
    if more > 0:
        lines.append(f"... and {more:,} more; --json names all.")
    return "\n".join(lines)


def verdict(found: difference.Comparison) -> str:
    """Returns one sentence that says whether there is a difference."""
    compared = f"{counted(found.common, 'name')}, {in_units(found.bytes)}"
    if found.same:
        return f"SAME: {compared}, bit for bit."
    if not found.common:
        return "DIFFERENT: no name is in both."
    return (
        f"DIFFERENT in {counted(len(found.differences), 'name')}; in both: "
        f"{compared}."
    )


def _detail(one: difference.Difference) -> str:
    if one.kind is difference.Kind.ONLY_IN_A:
        return _cut(one.a)
    if one.kind is difference.Kind.ONLY_IN_B:
        return _cut(one.b)
    both = f"A {_cut(one.a)}, B {_cut(one.b)}"
    if one.elements is None:
        return both
    elements = one.elements
    ulps = elements.ulps
    apart = "" if ulps is None else f", at most {counted(ulps, 'ulp')} apart"
    return (
        f"{elements.differing:,} of {elements.total:,} elements{apart}; "
        f"first at {list(elements.first_index)}: {both}"
    )


def diff_json(found: difference.Comparison) -> str:
    """Returns a comparison with all its differences.

    Values are texts, since JSON has no NaN and no integers of 64 bits.
    """
    return _dumps(
        {
            "verdict": "same" if found.same else "different",
            "a": _origin_fields(found.a),
            "b": _origin_fields(found.b),
            "names_in_both": found.common,
            "bytes_in_both": found.bytes,
            "not_compared": dict(found.left_out),
            "counts": {str(k): n for k, n in found.counts().items()},
            "differences": [_fields(one) for one in found.differences],
        }
    )


def _fields(one: difference.Difference) -> dict[str, Any]:
    elements = one.elements
    return {
        "name": one.name,
        "kind": str(one.kind),
        "a": one.a or None,
        "b": one.b or None,
        "elements": elements.total if elements else None,
        "differing": elements.differing if elements else None,
        "first_index": list(elements.first_index) if elements else None,
        "ulps": elements.ulps if elements else None,
    }


def show_text(
    one: formats.Checkpoint, entries: Iterable[tuple[str, entry.Entry]]
) -> str:
    """Returns a line for each name of a checkpoint, and what they sum up to."""
    lines, size = [], 0
    for name, value in entries:
        size += value.bytes if isinstance(value, entry.Array) else 0
        lines.append(f"{_cut(name, of_name=True)}  {_cut(value.describe())}")
    head = [
        f"{origin(one)}: {counted(len(lines), 'name')}, {in_units(size)}",
        *([f"Not read: {', '.join(one.unread)}"] if one.unread else []),
    ]
    return "\n".join([*head, *lines])


def show_json(
    one: formats.Checkpoint, entries: Iterable[tuple[str, entry.Entry]]
) -> str:
    """Returns all names of a checkpoint, with types, shapes and values."""
    return _dumps(
        {
            **_origin_fields(one),
            "entries": [
                {
                    "name": name,
                    "type": value.dtype
                    if isinstance(value, entry.Array)
                    else value.kind,
                    "shape": list(value.shape)
                    if isinstance(value, entry.Array)
                    else None,
                    "value": value.text
                    if isinstance(value, entry.Plain)
                    else None,
                }
                for name, value in entries
            ],
        }
    )


def origin(one: formats.Checkpoint) -> str:
    """Returns where a checkpoint lies, and its format."""
    parts = f", {len(one.parts)} files of ranks" if len(one.parts) > 1 else ""
    return f"{one.path} ({one.format}{parts})"


def _origin_fields(one: formats.Checkpoint) -> dict[str, Any]:
    return {
        "path": str(one.path),
        "format": one.format,
        "not_read": list(one.unread),
    }


def unread(found: difference.Comparison) -> list[str]:
    """Returns the files that are no part of a checkpoint of a known format."""
    return list(dict.fromkeys((*found.a.unread, *found.b.unread)))


def counted(number: int, noun: str) -> str:
    """Returns e.g. "1 name" or "1,200 names"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def in_units(count: float) -> str:
    """Returns a number of bytes, such as "12.58 kB"."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.4g} {unit}"
        count /= 1000
    return f"{count:,.4g} GB"


def _cut(text: str, *, of_name: bool = False) -> str:
    """Shortens a text to one line."""
    most = _MOST_LETTERS_OF_NAME if of_name else _MOST_LETTERS
    line = " ".join(text.splitlines())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def _dumps(fields: dict[str, Any]) -> str:
    return json.dumps(fields, indent=2)
