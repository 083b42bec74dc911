"""Words that several checks use."""

from collections.abc import Iterable

from google.protobuf.internal import enum_type_wrapper


def numbers(values: Iterable[int]) -> str:
    """As "1, 2, 3", or "none"."""
    return ", ".join(map(str, values)) or "none"


def ranks(values: Iterable[int]) -> str:
    """As "rank 2", "ranks 0, 3"."""
    named = list(values)
    return f"rank{'' if len(named) == 1 else 's'} {numbers(named)}"


def times(count: int) -> str:
    """As "never", "once", "3 times"."""
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def name(enum: enum_type_wrapper.EnumTypeWrapper, value: int) -> str:
    """The enum value's name, or its number if a newer writer made it."""
    return dict(zip(enum.values(), enum.keys(), strict=True)).get(
        value, str(value)
    )
