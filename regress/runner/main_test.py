"""Tests for how the test itself ends: killed, asked to stop, or misused."""

import os
import pathlib
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

from absl.testing import absltest, parameterized

from regress.golden import files
from regress.run import run_pb2
from regress.runner import candidate_golden, damaged_events_test_helper

_CASE = "regress/testdata/tiny.textproto"
_GOLDEN = "regress/testdata/tiny/dev_none.textproto"
# Time limit for processes that must end; no test asserts a shorter time.
_END_SECONDS = 60


def _descendants(pid: int) -> list[int]:
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    found = []
    for child in map(int, children.read_text().split()):
        found += [child, *_descendants(child)]
    return found


class MainTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path)
        # Receives files that do not go to the test's own directory.
        self._elsewhere = pathlib.Path(self.create_tempdir().full_path)

    def _start(self, *flags: str) -> subprocess.Popen[str]:
        test = subprocess.Popen(
            [sys.executable, "-P", "-m", "regress.runner.main", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "TMPDIR": str(self._elsewhere),
                "TEST_TMPDIR": str(self._folder),
                "TEST_UNDECLARED_OUTPUTS_DIR": str(self._folder),
                "XML_OUTPUT_FILE": str(self._folder / "test.xml"),
            },
        )
        self.addCleanup(test.kill)
        return test

    def _start_until(
        self, *words: str, golden: str = _GOLDEN
    ) -> subprocess.Popen[str]:
        """Starts the tiny case and waits until its output has the words.

        Args:
            words: Texts that must occur in this order, one per line.
            golden: The golden's path.
        """
        test = self._start(f"--case={_CASE}", f"--golden={golden}")
        assert test.stdout is not None
        to_come = list(words)
        for line in test.stdout:
            if to_come[0] in line:
                to_come.pop(0)
            if not to_come:
                return test
        raise AssertionError(f"No line says '{words}': {test.communicate()}")

    # One zygote, and four ranks and a guard for each attempt and the read-back.
    # Those of the later ones already stand by while attempt 0 runs.
    @parameterized.parameters(
        (signal.SIGKILL, "attempt 0: iteration 1 of", 1 + 5 + 5 + 5),
        (signal.SIGKILL, "attempt 1: 4 ranks ready", 1 + 5 + 5),
        (signal.SIGTERM, "attempt 0: iteration 1 of", 1 + 5 + 5 + 5),
    )
    def test_nothing_is_left_running(
        self, number: signal.Signals, words: str, processes: int
    ) -> None:
        test = self._start_until(words)
        pidfds = [os.pidfd_open(pid) for pid in _descendants(test.pid)]
        self.assertLen(pidfds, processes)
        test.send_signal(number)
        for pidfd in pidfds:
            ended, _, _ = select.select([pidfd], [], [], _END_SECONDS)
            self.assertTrue(ended)
            os.close(pidfd)
        test.communicate(timeout=_END_SECONDS)
        self.assertEmpty(list(self._elsewhere.iterdir()))

    def test_told_to_stop_it_says_so(self) -> None:
        test = self._start_until("attempt 0: iteration 1 of")
        test.terminate()
        _, errors = test.communicate(timeout=_END_SECONDS)
        self.assertEqual(test.returncode, 2)
        self.assertIn("was sent SIGTERM", errors)
        # It reports the ranks' progress and their logs.
        for rank in range(4):
            self.assertRegex(
                errors,
                rf"attempt 0, rank {rank}: "
                r"completed (no iteration|iteration \d), "
                r"saved (none|3|3, 6); its log is \S*attempt_0/"
                rf"rank_{rank}\.log",
            )
        record = run_pb2.RunRecord.FromString(
            (self._folder / "run_record.binpb").read_bytes()
        )
        self.assertLen(record.attempts[0].ranks, 4)
        # Tools that read records need these.
        self.assertEqual(record.case.name, "tiny")
        self.assertTrue(record.corpus_digest)
        self.assertIn("torch", record.packages)

    def test_two_at_once_do_not_meet(self) -> None:
        flags = [f"--case={_CASE}", f"--golden={_GOLDEN}"]
        both = []
        for _ in range(2):
            # Bazel gives each test its own folders; the rest is shared.
            self._folder = pathlib.Path(self.create_tempdir().full_path)
            both.append(self._start(*flags))
        for test in both:
            output, errors = test.communicate(timeout=4 * _END_SECONDS)
            self.assertEqual(test.returncode, 0, output + errors)

    def _misuses(self) -> Iterator[tuple[list[str], str]]:
        yield (
            [f"--case={self._folder}/none.textproto", f"--golden={_GOLDEN}"],
            "no such case",
        )
        yield (
            [f"--case={_CASE}", f"--golden={self._folder}/none.textproto"],
            "golden",
        )
        malformed = self._folder / "malformed.textproto"
        malformed.write_text('name: "malformed"\nmodel { layers: many }\n')
        yield (
            [f"--case={malformed}", f"--golden={_GOLDEN}"],
            "malformed.textproto:2:",
        )

    def _forgeries(self) -> Iterator[tuple[str, str]]:
        """Yields changes of the case that quote a terminal's commands."""
        yield 'name: "tiny"', r'name: "\033[2Jtiny"'
        yield 'split: "8,1,1"', r'split: "\033[2J"'
        yield "layers:", "\x1b[2Jlayers:"

    def test_a_file_cannot_command_the_terminal(self) -> None:
        case = pathlib.Path(_CASE).read_text()
        forged = self._folder / "tiny.textproto"
        for honest, command in self._forgeries():
            with self.subTest(command):
                self.assertIn(honest, case)
                forged.write_text(case.replace(honest, command))
                test = self._start(f"--case={forged}")
                _, errors = test.communicate(timeout=_END_SECONDS)
                self.assertEqual(test.returncode, 2)
                self.assertRegex(errors, r"\A[^\n]*tiny.textproto[^\n]*\?\[2J")
                self.assertNotIn("\x1b", errors)

    def test_bad_input_is_one_sentence(self) -> None:
        for flags, words in self._misuses():
            with self.subTest(words):
                test = self._start(*flags)
                _, errors = test.communicate(timeout=_END_SECONDS)
                self.assertEqual(test.returncode, 2)
                self.assertIn(words, errors)
                self.assertLen(errors.strip().splitlines(), 1)

    def test_damaged_events_are_one_sentence_and_no_verdict(self) -> None:
        test = self._start(
            f"--case={_CASE}",
            f"--golden={_GOLDEN}",
            "--trainer=regress.testing.instrumented_trainer",
            f"--trainer_flag={damaged_events_test_helper.FLAG}",
        )
        _, errors = test.communicate(timeout=4 * _END_SECONDS)
        self.assertRegex(
            errors,
            r"\A\S*attempt_0/rank_1\.events: damaged at byte \d+: "
            r"expected an event, found a size of 0\n\Z",
        )
        self.assertEqual(test.returncode, 2)
        self.assertFalse((self._folder / "test.xml").exists())

    def test_an_unknown_flag_is_refused(self) -> None:
        test = self._start("--golden_tolerance=5")
        _, errors = test.communicate(timeout=_END_SECONDS)
        self.assertNotEqual(test.returncode, 0)
        self.assertIn("golden_tolerance", errors)

    def _changed_golden(self) -> str:
        """Writes the golden with a different loss in iteration 4."""
        golden = files.read(pathlib.Path(_GOLDEN))
        loss = next(one for one in golden.series if one.metric == "lm loss")
        loss.values[3] += 1
        changed = self._folder / "golden.textproto"
        changed.write_text(str(golden))
        return str(changed)

    def test_told_to_stop_it_keeps_the_verdict_that_it_has(self) -> None:
        test = self._start_until(
            "running once uninterrupted",
            # Signals are handled only while there are ranks.
            "the uninterrupted run: iteration 1 of",
            golden=self._changed_golden(),
        )
        test.terminate()
        output, errors = test.communicate(timeout=_END_SECONDS)
        self.assertEqual(test.returncode, 1, errors)
        self.assertIn("FAIL: numeric drift", output)
        self.assertIn(
            "There is no candidate for the golden's place: ",
            " ".join(output.split()),
        )
        self.assertIn("SIGTERM", output)
        self.assertFalse((self._folder / candidate_golden.FILE).exists())

    def test_a_number_that_differs_is_repeated(self) -> None:
        test = self._start(
            f"--case={_CASE}", f"--golden={self._changed_golden()}"
        )
        output, errors = test.communicate(timeout=4 * _END_SECONDS)
        self.assertEqual(test.returncode, 1, errors)
        self.assertIn("repeating attempt 0 through iteration 4, as", output)
        # This is the second verdict.
        self.assertIn("FAIL: numeric drift", output)
        self.assertIn("the repeat got far enough", self._xml())
        self.assertTrue((self._folder / "repeat/attempt_0/rank_3.log").exists())
        self.assertIn(
            "FAIL: numeric drift", (self._folder / "report.html").read_text()
        )
        # The current numbers are those of the committed golden.
        self.assertIn("golden -- accept ", output)
        made = files.read(self._folder / candidate_golden.FILE)
        committed = files.read(_GOLDEN)
        self.assertEqual(made.series, committed.series)
        self.assertEqual(made.checkpoints, committed.checkpoints)
        self.assertEqual(made.provenance.repeats, 2)
        self.assertEqual(made.provenance.interrupted_repeats, 1)

    def _xml(self) -> str:
        return (self._folder / "test.xml").read_text()

    @parameterized.parameters([[]], [["--golden="]])
    def test_without_a_golden_it_passes_and_says_so(
        self, flags: list[str]
    ) -> None:
        test = self._start(f"--case={_CASE}", *flags)
        output, errors = test.communicate(timeout=4 * _END_SECONDS)
        self.assertEqual(test.returncode, 0, output + errors)
        lines = output.splitlines()
        self.assertIn(
            "golden        none: judged by proof, state and replay", lines
        )
        self.assertIn("PASS", lines)
        self.assertIn(
            "no trajectory was compared with a golden", " ".join(output.split())
        )
        self.assertIn("no golden", (self._folder / "report.html").read_text())

    def test_a_golden_of_another_case_is_stale(self) -> None:
        changed = self._folder / "tiny.textproto"
        changed.write_text(
            pathlib.Path(_CASE).read_text().replace("seed: 1234", "seed: 1235")
        )
        test = self._start(f"--case={changed}", f"--golden={_GOLDEN}")
        output, errors = test.communicate(timeout=4 * _END_SECONDS)
        self.assertEqual(test.returncode, 1, errors)
        self.assertIn("FAIL: stale golden", output)
        self.assertIn("golden -- accept ", output)
        self.assertTrue((self._folder / candidate_golden.FILE).exists())
        self.assertIn("<testsuite", self._xml())


if __name__ == "__main__":
    absltest.main()
