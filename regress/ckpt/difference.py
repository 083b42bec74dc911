"""Compares all that two checkpoints hold, name by name.

Of each checkpoint one part is open at a time, and one array is read at a time.
"""

import collections
import dataclasses
import enum
from collections.abc import Mapping

import numpy as np

from regress.ckpt import bits, entry, errors, formats, place

_NOT_KNOWN = place.Place(place.OTHER)


class Kind(enum.StrEnum):
    """How two values of one name differ."""

    ONLY_IN_A = "only_in_a"
    ONLY_IN_B = "only_in_b"
    TYPE = "other_type"
    SHAPE = "other_shape"
    VALUE = "other_value"


@dataclasses.dataclass(frozen=True)
class Elements:
    """How the elements of two arrays differ.

    Attributes:
        total: The number of elements.
        differing: How many of them differ.
        first_index: The index of the first that differs.
        ulps: As in `bits.Differing`.
    """

    total: int
    differing: int
    first_index: tuple[int, ...]
    ulps: int | None


@dataclasses.dataclass(frozen=True)
class Difference:
    """A name whose value is not the same in both checkpoints.

    Attributes:
        name: The name.
        kind: How they differ.
        a: What is in A: its type and shape, or of values the first that
            differs. "" if there is nothing.
        b: The same in B.
        elements: Which elements differ, of two arrays.
        where: The kind of state, and the rank.
    """

    name: str
    kind: Kind
    a: str
    b: str
    elements: Elements | None = None
    where: place.Place = _NOT_KNOWN


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two checkpoints, compared.

    Attributes:
        a: One checkpoint.
        b: The other.
        common: The number of names that both have.
        bytes: The bytes of all arrays that were compared, of one checkpoint.
        differences: All differences, in the order of A's names, then B's.
        names: How many names at least one of them has, by place.
        left_out: The files beside them that could not be compared, and why.
    """

    a: formats.Checkpoint
    b: formats.Checkpoint
    common: int
    bytes: int
    differences: tuple[Difference, ...]
    names: Mapping[place.Place, int]
    left_out: Mapping[str, str]

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not self.differences

    def counts(self) -> dict[Kind, int]:
        """Returns the number of differences of each kind."""
        kinds = [one.kind for one in self.differences]
        return {kind: kinds.count(kind) for kind in Kind}


def compare(a: formats.Checkpoint, b: formats.Checkpoint) -> Comparison:
    """Compares two checkpoints.

    Raises:
        CkptError: A part of one of them, which is no file beside it, cannot be
            read.
    """
    total = _Part()
    left_out: dict[str, str] = {}
    for label in dict.fromkeys((*a.parts, *b.parts)):
        try:
            total.add(_compare_part(a, b, label))
        except errors.CkptError as error:
            if label not in a.beside | b.beside:
                raise
            left_out[label] = str(error)
    return Comparison(
        a,
        b,
        total.common,
        total.bytes,
        tuple(total.differences),
        total.names,
        left_out,
    )


@dataclasses.dataclass
class _Part:
    common: int = 0
    bytes: int = 0
    differences: list[Difference] = dataclasses.field(default_factory=list)
    names: collections.Counter[place.Place] = dataclasses.field(
        default_factory=collections.Counter
    )

    def add(self, other: "_Part") -> None:
        self.common += other.common
        self.bytes += other.bytes
        self.differences += other.differences
        self.names += other.names


def _compare_part(
    a: formats.Checkpoint, b: formats.Checkpoint, label: str
) -> _Part:
    in_a = a.parts[label]() if label in a.parts else {}
    in_b = b.parts[label]() if label in b.parts else {}
    result = _Part()
    for name in dict.fromkeys((*in_a, *in_b)):
        own, other = in_a.get(name), in_b.get(name)
        if own is not None and other is not None:
            result.common += 1
            result.bytes += own.bytes if isinstance(own, entry.Array) else 0
        value = own if own is not None else other
        assert value is not None
        where = place.find(name, value, label)
        result.names[where] += 1
        if found := _difference(name, own, other):
            result.differences.append(dataclasses.replace(found, where=where))
    return result


def _difference(
    name: str, a: entry.Entry | None, b: entry.Entry | None
) -> Difference | None:
    if b is None:
        assert a is not None
        return Difference(name, Kind.ONLY_IN_A, a.describe(), "")
    if a is None:
        return Difference(name, Kind.ONLY_IN_B, "", b.describe())
    if isinstance(a, entry.Plain) and isinstance(b, entry.Plain):
        if a.kind != b.kind:
            return Difference(name, Kind.TYPE, a.describe(), b.describe())
        if a.bits != b.bits:
            return Difference(name, Kind.VALUE, a.text, b.text)
        return None
    if isinstance(a, entry.Plain) or isinstance(b, entry.Plain):
        return Difference(name, Kind.TYPE, a.describe(), b.describe())
    if a.dtype != b.dtype:
        return Difference(name, Kind.TYPE, a.describe(), b.describe())
    if a.shape != b.shape:
        return Difference(name, Kind.SHAPE, a.describe(), b.describe())
    return _difference_of_arrays(name, a, b)


def _difference_of_arrays(
    name: str, a: entry.Array, b: entry.Array
) -> Difference | None:
    parts = a.read(), b.read()
    found = bits.compare(*parts, a.dtype, a.itemsize)
    if found is None:
        return None
    first = slice(found.first * a.itemsize, (found.first + 1) * a.itemsize)
    values = [
        (entry.element_text(a.dtype, element), element.hex())
        for element in (part[first].tobytes() for part in parts)
    ]
    if values[0][0] == values[1][0]:
        # Two NaNs, for one, look the same.
        values = [(f"{text} (0x{code})", code) for text, code in values]
    index = np.unravel_index(found.first, a.shape) if a.shape else ()
    return Difference(
        name,
        Kind.VALUE,
        values[0][0],
        values[1][0],
        Elements(
            parts[0].size // a.itemsize,
            found.elements,
            tuple(map(int, index)),
            found.ulps,
        ),
    )
