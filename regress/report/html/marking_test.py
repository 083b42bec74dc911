"""Tests for marking."""

from absl.testing import absltest, parameterized

from regress.report.html import marking

_Marked = marking.Marked


class MarkTest(parameterized.TestCase):
    @parameterized.parameters(
        ("1.25", "1.5", ("1.", "2", "5"), ("1.", "5", "")),
        ("2.5", "12.5", ("", "2", ".5"), ("", "1", "2.5")),
        ("1.5", "1.55", ("1.5", "", ""), ("1.5", "5", "")),
        ("ab12", "ab22", ("ab", "1", "2"), ("ab", "2", "2")),
    )
    def test_marks_the_first_digit_that_differs(
        self,
        expected: str,
        actual: str,
        first: tuple[str, str, str],
        second: tuple[str, str, str],
    ) -> None:
        self.assertEqual(
            marking.mark(expected, actual),
            (_Marked(*first), _Marked(*second)),
        )


if __name__ == "__main__":
    absltest.main()
