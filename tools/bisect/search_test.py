"""Tests for the search strategy."""

import itertools

from absl.testing import absltest, parameterized

from tools.bisect import search

_OUTCOMES = {
    "g": search.Outcome.GOOD,
    "b": search.Outcome.BAD,
    "x": search.Outcome.COULD_NOT_RUN,
    ".": None,
}


def _search(truth: str) -> tuple[list[int], list[search.Change]]:
    """Returns the places that ran, in order, and the changes found.

    Args:
        truth: What comes of each release: g(ood), b(ad), or x, could not run.
    """
    outcomes: list[search.Outcome | None] = [None] * len(truth)
    ran = []
    while (place := search.next_place(outcomes)) is not None:
        assert outcomes[place] is None, f"{place} of {truth} ran twice"
        ran.append(place)
        outcomes[place] = _OUTCOMES[truth[place]]
    return ran, search.changes(outcomes)


class SearchTest(parameterized.TestCase):
    @parameterized.parameters(
        # A break is found by halving.
        ("gggbbbbbb", [0, 8, 4, 2, 3]),
        ("gb", [0, 1]),
        # So is a fix.
        ("bbbbbbbbg", [0, 8, 4, 6, 7]),
        # So are a break and its fix.
        ("gbbbbbbgg", [0, 8, 4, 2, 1, 6, 7]),
        # If nothing differs, everything runs, the largest gap first.
        ("ggggg", [0, 4, 2, 1, 3]),
        ("gggggg", [0, 5, 3, 2, 1, 4]),
        ("bbb", [0, 2, 1]),
        # A single bad release need not be in the middle.
        ("gbggg", [0, 4, 2, 1]),
        ("g", [0]),
        ("", []),
    )
    def test_order(self, truth: str, expected: list[int]) -> None:
        self.assertEqual(_search(truth)[0], expected)

    @parameterized.parameters(*range(2, 10))
    def test_finds_every_break_and_its_fix(self, size: int) -> None:
        for first, last in itertools.combinations(range(size + 1), 2):
            truth = "g" * first + "b" * (last - first) + "g" * (size - last)
            _, changes = _search(truth)
            self.assertEqual(
                [(change.before, change.after) for change in changes],
                [(p - 1, p) for p in (first, last) if 0 < p < size],
                truth,
            )

    def test_a_break_alone_costs_its_logarithm(self) -> None:
        for first in range(1, 100):
            ran, _ = _search("g" * first + "b" * (100 - first))
            self.assertLessEqual(len(ran), 2 + 7)

    @parameterized.parameters(
        ("xgbx", [(1, 2, ())]),
        ("gxbb", [(0, 2, (1,))]),
        ("gxxxb", [(0, 4, (1, 2, 3))]),
        ("gbxg", [(0, 1, ()), (1, 3, (2,))]),
        ("xxx", []),
        ("gxxg", []),
    )
    def test_what_could_not_run_takes_no_part(
        self, truth: str, expected: list[tuple[int, int, tuple[int, ...]]]
    ) -> None:
        _, changes = _search(truth)
        self.assertEqual(
            [(one.before, one.after, one.unknown) for one in changes], expected
        )


if __name__ == "__main__":
    absltest.main()
