"""Tests for rewriting properties."""

from absl.testing import absltest

from tools.mutation import properties

_SOURCE = '''\
"""Rooms."""

import dataclasses
import functools


@dataclasses.dataclass(frozen=True)
class Room:
    """A room."""

    width: int
    depth: int

    @property
    def area(self) -> int:
        """Its area."""
        return self.width * self.depth

    @functools.cached_property
    def double(self) -> int:
        return 2 * self.area

    @functools.lru_cache
    def half(self) -> float:
        return self.area / 2

    @property
    def perimeter(self) -> int:
        return 2 * (
            self.width + self.depth
        )


def main() -> None:
    pass
'''
_EXPECTED = '''\
"""Rooms."""

import dataclasses
import functools


@dataclasses.dataclass(frozen=True)
class Room:
    """A room."""

    width: int
    depth: int

    def area(self) -> int:
        """Its area."""
        return self.width * self.depth
    area = property(area)

    def double(self) -> int:
        return 2 * self.area
    double = functools.cached_property(double)

    @functools.lru_cache
    def half(self) -> float:
        return self.area / 2

    def perimeter(self) -> int:
        return 2 * (
            self.width + self.depth
        )
    perimeter = property(perimeter)


def main() -> None:
    pass
'''


class WithoutDecoratorsTest(absltest.TestCase):
    def test_makes_properties_by_a_call_and_changes_nothing_else(self):
        self.assertEqual(properties.without_decorators(_SOURCE), _EXPECTED)

    def test_leaves_a_source_without_properties_as_it_is(self):
        source = "def main() -> None:\n    pass\n"
        self.assertEqual(properties.without_decorators(source), source)


if __name__ == "__main__":
    absltest.main()
