"""Tests for laying out text for a terminal."""

from absl.testing import absltest, parameterized

from regress.report import text_layout


class LayoutTest(parameterized.TestCase):
    def test_breaks_words_that_are_too_long(self):
        self.assertEqual(
            text_layout.wrap("a " + "x" * 100, "- ", "  "),
            ["- a " + "x" * 76, "  " + "x" * 24],
        )

    def test_keeps_names_whole(self):
        self.assertEqual(
            text_layout.wrap("one model-parallel-rng", width=20),
            ["one", "model-parallel-rng"],
        )

    def test_sends_no_control_codes_to_the_terminal(self):
        self.assertEqual(text_layout.wrap("\x1b[31mred\x07"), ["?[31mred?"])

    def test_a_sentence_keeps_its_other_capitals(self):
        self.assertEqual(text_layout.sentence("the NaN"), "The NaN")
        self.assertEqual(text_layout.sentence(""), "")

    @parameterized.parameters(
        ((), ""),
        ((2,), "2"),
        ((0, 1), "0,1"),
        ((0, 1, 2, 3), "0-3"),
        ((0, 2, 3, 5, 6, 7), "0,2,3,5-7"),
    )
    def test_draws_runs_of_numbers_together(self, values, text):
        self.assertEqual(text_layout.numbers(values), text)


if __name__ == "__main__":
    absltest.main()
