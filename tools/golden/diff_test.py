"""Tests for how the difference of two goldens reads."""

from absl.testing import absltest

from tools.golden import comparison, diff

_SAME = comparison.Comparison(
    facts=(),
    only_old=(),
    only_new=(),
    rows=(),
    same=6,
    first_checkpoint=None,
)
_DIFFERENT = comparison.Comparison(
    facts=(("torch", "2.13.0", "2.14.0"),),
    only_old=("data digest on rank 0",),
    only_new=(),
    rows=(
        comparison.Row(
            subject="lm loss",
            ranks=(3,),
            differing=1,
            compared=4,
            first=2,
            old="6.5 (0x1.ap+2)",
            new="6.25 (0x1.9p+2)",
            absolute=0.25,
            relative=0.25 / 6.5,
            ulps=1 << 19,
        ),
    ),
    same=4,
    first_checkpoint=2,
)


class RenderTest(absltest.TestCase):
    def test_says_that_nothing_differs(self) -> None:
        self.assertEqual(
            diff.render(_SAME),
            "All numbers and all saved states have the same bits.\n",
        )

    def test_says_all_that_differs_in_80_columns(self) -> None:
        text = diff.render(_DIFFERENT)
        self.assertStartsWith(
            text, "The numbers differ, first in iteration 2.\n"
        )
        for words in (
            "torch: 2.13.0 -> 2.14.0",
            "Only in the old one:\n  data digest on rank 0",
            "lm loss, rank 3",
            "1/4          0.25     0.0385               524,288",
            "6.5 (0x1.ap+2)\n        -> 6.25 (0x1.9p+2)",
            "checkpoint of iteration 2 on",
        ):
            self.assertIn(words, text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)


if __name__ == "__main__":
    absltest.main()
