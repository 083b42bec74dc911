"""Tests for logs and lines that have a bound."""

import os
import pathlib

from absl.testing import absltest, parameterized

from regress.supervisor import bounded_log


class BoundedLogTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = pathlib.Path(self.create_tempfile().full_path)
        flags = os.O_WRONLY | os.O_APPEND
        self.fd = os.open(self.path, flags)
        self.addCleanup(os.close, self.fd)
        self.log = bounded_log.BoundedLog(self.fd, beginning=10, end=5)

    def test_keeps_what_fits(self) -> None:
        self.log.write(b"0123456789")
        self.log.write(b"abcde")
        self.assertEqual(self.path.read_bytes(), b"0123456789abcde")
        self.assertEqual(self.log.left_out, 0)

    def test_keeps_the_beginning_and_the_newest(self) -> None:
        for some in (b"0123456", b"789abcdef", b"ghijk"):
            self.log.write(some)
        beginning, notice, end = self.path.read_bytes().partition(
            b"\n[... output is left out here: the log has a bound ...]\n"
        )
        self.assertEqual((beginning, end), (b"0123456789", b"k"))
        self.assertTrue(notice)
        self.assertEqual(self.log.left_out, 10)


class LinesTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.lines = bounded_log.Lines()

    def feed(self, *parts: bytes) -> list[bytes]:
        fed = [line for part in parts for line in self.lines.feed(part)]
        return [*fed, *self.lines.rest()]

    @parameterized.parameters(
        ((b"a\nb\n",), [b"a", b"b"]),
        ((b"a\nb",), [b"a", b"b"]),
        ((b"a", b"b\nc", b"\n"), [b"ab", b"c"]),
        # A progress bar.
        ((b"1/3\r2/3\r", b"3/3\n"), [b"1/3", b"2/3", b"3/3"]),
    )
    def test_splits_at_the_ends_of_lines(self, parts, lines) -> None:
        self.assertEqual(self.feed(*parts), lines)

    def test_cuts_a_long_line_once(self) -> None:
        part = b"x" * (bounded_log.LINE_BYTES // 2)
        lines = self.feed(part, part, part, part, b"y\nz\n")
        self.assertEqual(lines, [part + part, b"z"])


if __name__ == "__main__":
    absltest.main()
