"""Tests for what reaches a terminal."""

import contextlib
import io

from absl.testing import absltest, parameterized

from regress import terminal


class TerminalTest(parameterized.TestCase):
    @parameterized.parameters(
        ("\x1b[31mred\x07", "?[31mred?"),
        # The 8-bit forms of the same codes.
        ("\x9b31mred\x85", "?31mred?"),
        ("FAIL\rPASS", "FAIL?PASS"),
        # Reverses the order in which a line is shown.
        ("a\u202eb", "a?b"),
        # A byte of a path that is not UTF-8, which no stream can encode.
        ("caf\udce9", "caf?"),
        ("\x1c\x0b\x0c", "???"),
        ("one\n\ttwo: é, 名", "one\n\ttwo: é, 名"),
    )
    def test_control_codes_are_replaced(self, text: str, shown: str) -> None:
        self.assertEqual(terminal.printable(text), shown)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            terminal.show(text)
        with contextlib.redirect_stderr(io.StringIO()) as err:
            terminal.tell(ValueError(text))
        self.assertEqual([out.getvalue(), err.getvalue()], [f"{shown}\n"] * 2)


if __name__ == "__main__":
    absltest.main()
