"""Tests for how errors end a program."""

import contextlib
import io
from collections.abc import Sequence

from absl import app
from absl.testing import absltest

from regress import errors


class _CorpusError(errors.UserError):
    pass


def _run(error: Exception | None) -> tuple[int, str]:
    """Returns the exit status and stderr of a program that raises `error`."""

    @errors.ends_with(7)
    def main(argv: Sequence[str]) -> int:
        if error is not None:
            raise error
        return len(argv)

    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        return main(["program"]), stderr.getvalue()


class ErrorsTest(absltest.TestCase):
    def test_without_an_error_the_status_is_the_programs(self) -> None:
        self.assertEqual(_run(None), (1, ""))

    def test_a_user_is_told_the_message_and_no_more(self) -> None:
        error = _CorpusError("The corpus is empty.")
        self.assertEqual(_run(error), (7, "The corpus is empty.\n"))

    def test_what_a_message_quotes_cannot_command_the_terminal(self) -> None:
        for error in (_CorpusError("\x1b[2J"), KeyError("\x1b[2J")):
            self.assertNotIn("\x1b", _run(error)[1])

    def test_anything_else_is_a_bug_and_says_where(self) -> None:
        status, stderr = _run(KeyError("corpus"))
        self.assertEqual(status, 7)
        self.assertStartsWith(stderr, "Traceback")
        self.assertIn("errors_test.py", stderr)
        self.assertIn("KeyError: 'corpus'", stderr)
        self.assertEndsWith(
            stderr, "This error is a bug in the program; please report it.\n"
        )

    def test_a_wrong_use_of_the_flags_is_left_to_absl(self) -> None:
        with self.assertRaises(app.UsageError):
            _run(app.UsageError("Unexpected argument: x"))


if __name__ == "__main__":
    absltest.main()
