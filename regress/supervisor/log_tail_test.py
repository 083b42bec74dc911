"""Tests of quoting the end of a log."""

import pathlib

from absl.testing import absltest

from regress.supervisor import log_tail


class LogTailTest(absltest.TestCase):
    def write(self, content: bytes) -> pathlib.Path:
        path = pathlib.Path(self.create_tempdir().full_path) / "log"
        path.write_bytes(content)
        return path

    def test_finds_the_last_line_that_says_something(self) -> None:
        log = self.write(b"first\n  second \n\n \n")
        self.assertEqual(log_tail.last_line(log), "second")

    def test_finds_a_line_that_was_cut_off(self) -> None:
        self.assertEqual(log_tail.last_line(self.write(b"a\nb")), "b")

    def test_finds_the_exception_that_torch_warns_after(self) -> None:
        log = self.write(
            b"[rank2]: Traceback (most recent call last):\n"
            b"[rank2]: ValueError: another size\n"
            b"[rank2]:[W1125 01:57:47.431772828 ProcessGroupNCCL.cpp:1575] "
            b"Warning: destroy_process_group() was not called\n"
        )
        self.assertEqual(log_tail.last_line(log), "ValueError: another size")

    def test_finds_the_error_that_torch_ends_a_rank_by(self) -> None:
        log = self.write(
            b"[rank0]:[E1125 01:57:47.431772828 ProcessGroupNCCL.cpp:632] "
            b"Watchdog caught a timeout\n"
        )
        self.assertStartsWith(log_tail.last_line(log), "[E1125 01:57:47")

    def test_finds_a_warning_that_is_all_there_is(self) -> None:
        log = self.write(b"[W1125 01:57:47.4317 socket.cpp:1] no route\n")
        self.assertEndsWith(log_tail.last_line(log), "no route")

    def test_finds_nothing_in_an_empty_log(self) -> None:
        self.assertEqual(log_tail.last_line(self.write(b"")), "")
        self.assertEqual(log_tail.last_line(self.write(b"\n\n")), "")
        self.assertEqual(log_tail.lines(self.write(b""), 3), [])

    def test_gives_no_more_lines_than_asked_for(self) -> None:
        log = self.write(b"one\ntwo\n\nthree\n")
        self.assertEqual(log_tail.lines(log, 2), ["two", "three"])
        self.assertEqual(log_tail.lines(log, 9), ["one", "two", "three"])

    def test_survives_what_is_no_text(self) -> None:
        self.assertEqual(
            log_tail.last_line(self.write(b"x\n\xff!")),
            "\N{REPLACEMENT CHARACTER}!",
        )

    def test_reads_only_the_end_of_a_long_log(self) -> None:
        log = self.write(b"x" * (1 << 20) + b"\nend\n")
        first, last = log_tail.lines(log, 9)
        self.assertEqual(last, "end")
        self.assertLess(len(first), 1 << 17)


if __name__ == "__main__":
    absltest.main()
