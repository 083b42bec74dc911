"""Tests for quoting the end of a log."""

import pathlib
import signal
import subprocess
import sys

from absl.testing import absltest

from regress.supervisor import log_tail


class LogTailTest(absltest.TestCase):
    def write(self, content: bytes) -> pathlib.Path:
        path = pathlib.Path(self.create_tempdir().full_path) / "log"
        path.write_bytes(content)
        return path

    def test_finds_the_last_line_that_says_something(self) -> None:
        log = self.write(b"first\n  second \n\n \n")
        self.assertEqual(log_tail.last_log_line(log), "second")

    def test_finds_a_line_that_was_cut_off(self) -> None:
        self.assertEqual(log_tail.last_log_line(self.write(b"a\nb")), "b")

    def test_finds_the_exception_that_torch_warns_after(self) -> None:
        log = self.write(
            b"[rank2]: Traceback (most recent call last):\n"
            b"[rank2]: ValueError: another size\n"
            b"[rank2]:[W1125 01:57:47.431772828 ProcessGroupNCCL.cpp:1575] "
            b"Warning: destroy_process_group() was not called\n"
        )
        self.assertEqual(
            log_tail.last_log_line(log), "ValueError: another size"
        )

    def test_finds_the_error_that_torch_ends_a_rank_by(self) -> None:
        log = self.write(
            b"[rank0]:[E1125 01:57:47.431772828 ProcessGroupNCCL.cpp:632] "
            b"Watchdog caught a timeout\n"
        )
        self.assertStartsWith(log_tail.last_log_line(log), "[E1125 01:57:47")

    def test_finds_a_warning_that_is_all_there_is(self) -> None:
        log = self.write(b"[W1125 01:57:47.4317 socket.cpp:1] no route\n")
        self.assertEndsWith(log_tail.last_log_line(log), "no route")

    def test_finds_the_signal_that_python_died_of(self) -> None:
        log = pathlib.Path(self.create_tempdir().full_path) / "log"
        with log.open("w") as file:
            status = subprocess.call(
                [
                    *(sys.executable, "-X", "faulthandler", "-c"),
                    "import os, signal\nprint('ready')\n"
                    "def work(): os.kill(os.getpid(), signal.SIGSEGV)\nwork()",
                ],
                stderr=file,
            )
        self.assertEqual(status, -signal.SIGSEGV)
        self.assertEqual(
            log_tail.last_log_line(log),
            "Fatal Python error: Segmentation fault, "
            'File "<string>", line 3 in work',
        )

    def test_finds_why_a_process_was_aborted(self) -> None:
        dump = b'Fatal Python error: Aborted\n\n  File "x.py", line 1 in f\n'
        why = b"terminate called after throwing an instance of 'c10::Error'\n"
        self.assertEqual(
            log_tail.last_log_line(self.write(why + dump)), why.decode().strip()
        )
        self.assertEqual(
            log_tail.last_log_line(self.write(dump)),
            'Fatal Python error: Aborted, File "x.py", line 1 in f',
        )

    def test_finds_nothing_in_an_empty_log(self) -> None:
        self.assertEqual(log_tail.last_log_line(self.write(b"")), "")
        self.assertEqual(log_tail.last_log_line(self.write(b"\n\n")), "")
        self.assertEqual(log_tail.lines(self.write(b""), 3), [])

    def test_gives_no_more_lines_than_asked_for(self) -> None:
        log = self.write(b"one\ntwo\n\nthree\n")
        self.assertEqual(log_tail.lines(log, 2), ["two", "three"])
        self.assertEqual(log_tail.lines(log, 9), ["one", "two", "three"])

    def test_survives_what_is_no_text(self) -> None:
        self.assertEqual(
            log_tail.last_log_line(self.write(b"x\n\xff!")),
            "\N{REPLACEMENT CHARACTER}!",
        )

    def test_reads_only_the_end_of_a_long_log(self) -> None:
        log = self.write(b"first\n" + b"x\n" * (1 << 20) + b"end\n")
        self.assertLess(len(log_tail.lines(log, 1 << 21)), 1 << 20)
        self.assertEqual(log_tail.last_log_line(log), "end")

    def test_quotes_the_beginning_and_the_end_of_a_long_line(self) -> None:
        log = self.write(b"begin " + b"x" * 100_000 + b" end")
        for quoted in (log_tail.last_log_line(log), *log_tail.lines(log, 1)):
            self.assertStartsWith(quoted, "begin xxx")
            self.assertEndsWith(quoted, "xxx end")
            self.assertLen(quoted, 300 + len(" [...] ") + 200)

    def test_leaves_out_the_first_folders_of_long_paths(self) -> None:
        folder = "/" + "/".join(["folder" * 9] * 9)
        log = self.write(
            f"The file {folder}/iter_4/rank_1/x.pt is damaged. Remove "
            f"{folder}/iter_4 and /a/b/c/d.".encode()
        )
        short = "folder" * 9
        self.assertEqual(
            log_tail.last_log_line(log),
            f"The file .../{short}/iter_4/rank_1/x.pt is damaged. Remove "
            f".../{short}/{short}/{short}/iter_4 and /a/b/c/d.",
        )

    def test_quotes_the_type_of_an_exception_of_many_lines(self) -> None:
        keys = b"".join(b"\tlayers.%d.weight,\n" % key for key in range(2560))
        log = self.write(
            b"iteration 3\n"
            b"[rank1]: Traceback (most recent call last):\n"
            b'[rank1]:   File "load.py", line 3, in <module>\n'
            b"[rank1]:     model.load_state_dict(saved)\n"
            b"[rank1]: RuntimeError: Error(s) in loading state_dict:\n"
            b"\tMissing key(s):\n" + keys + b"Load it with strict=False.\n"
        )
        quoted = log_tail.last_log_line(log)
        self.assertStartsWith(
            quoted, "RuntimeError: Error(s) in loading state_dict: "
        )
        self.assertIn("Missing key(s):", quoted)
        self.assertEndsWith(quoted, "Load it with strict=False.")

    def test_quotes_the_last_of_several_exceptions(self) -> None:
        log = self.write(
            b"Traceback (most recent call last):\n"
            b"  ...\n"
            b"KeyError: 'x'\n"
            b"During handling of the above exception, another one occurred:\n"
            b"Traceback (most recent call last):\n"
            b"  ...\n"
            b"ValueError: y\n"
        )
        self.assertEqual(log_tail.last_log_line(log), "ValueError: y")


if __name__ == "__main__":
    absltest.main()
