"""Tests for the program, as a user runs it."""

import contextlib
import io
import os
import pathlib
import shutil
import subprocess
import sys

from absl.testing import absltest

from regress.golden import files
from tools.golden import recorder

_CASE = "regress/testdata/tiny.textproto"
_GOLDEN = "regress/testdata/tiny/dev_none.textproto"


class MainTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.golden = self.folder / "tiny/dev_none.textproto"
        self.golden.parent.mkdir()
        shutil.copyfile(_GOLDEN, self.golden)
        shutil.copyfile(_CASE, self.folder / "tiny.textproto")

    def run_golden(
        self,
        *arguments: str,
        status: int = 0,
        stdout: int = subprocess.PIPE,
    ) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [sys.executable, "-P", "-m", "tools.golden.main", *arguments],
            check=False,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "BUILD_WORKING_DIRECTORY": str(self.folder),
                "BUILD_WORKSPACE_DIRECTORY": str(self.folder),
            },
        )
        self.assertEqual(
            result.returncode, status, f"{result.stdout}{result.stderr}"
        )
        return result

    def changed(self) -> pathlib.Path:
        """Writes a candidate with another loss, and returns its path."""
        golden = files.read(self.golden)
        loss = next(one for one in golden.series if one.metric == "lm loss")
        loss.values[3] += 1
        path = self.folder / "candidate_golden.textproto"
        files.write(golden, path)
        return path

    def test_help_shows_every_command(self) -> None:
        result = self.run_golden("--help")
        for name in (
            *("record", "accept", "show", "diff"),
            *("plot", "verify", "import", "export"),
        ):
            self.assertRegex(result.stdout, rf"(?m)^ +{name} ")

    def test_help_of_a_command_shows_its_own_flags(self) -> None:
        accept = self.run_golden("accept", "--help")
        self.assertIn("--reason", accept.stdout)
        self.assertNotIn("--output", accept.stdout)
        plot = self.run_golden("plot", "--help")
        self.assertIn("--output", plot.stdout)
        self.assertNotIn("--reason", plot.stdout)

    def test_mistakes_are_one_sentence(self) -> None:
        golden = str(self.golden)
        for arguments, words in (
            (("show", "none.textproto"), "no such golden"),
            (("show", golden, "--reason=x"), "arguments: --reason=x"),
            (("verify", "--output=x"), "arguments: --output=x"),
            (("diff", golden), "arguments are required: NEW"),
            (("show", golden, golden), "unrecognized arguments: "),
            (("update",), "invalid choice: 'update' (choose from"),
            ((), "arguments are required: COMMAND"),
            (("record",), "arguments are required: --case"),
            (("record", "--case=none.textproto"), "no such case"),
            (("record", "--case=x", "--repeats=1"), "expected 2 or more"),
            (
                ("import", "x.json"),
                "arguments are required: --source, --note, --output",
            ),
            (("export", "none"), "no such golden"),
        ):
            with self.subTest(arguments):
                result = self.run_golden(*arguments, status=1)
                self.assertIn(words, result.stderr)
                self.assertLen(result.stderr.strip().splitlines(), 1)

    def test_a_reader_that_leaves_early_is_no_error(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        result = self.run_golden(
            "export", str(self.golden), status=141, stdout=writer
        )
        self.assertEqual(result.stderr, "")

    def test_show(self) -> None:
        result = self.run_golden("show", "tiny/dev_none.textproto")
        self.assertRegex(result.stdout, "lm loss +3 ")

    def test_verify(self) -> None:
        result = self.run_golden("verify", "tiny/dev_none.textproto")
        self.assertIn("1 goldens, 0 problems", result.stdout)
        # No golden at all must not count as success.
        self.run_golden("verify", status=1)
        self.golden.write_text("")
        result = self.run_golden("verify", str(self.golden), status=1)
        self.assertIn("1 goldens, 1 problems", result.stdout)

    def test_diff(self) -> None:
        same = self.run_golden("diff", str(self.golden), str(self.golden))
        self.assertIn("the same bits", same.stdout)
        differ = self.run_golden(
            "diff", str(self.golden), str(self.changed()), status=1
        )
        self.assertIn("first in iteration 4", differ.stdout)

    def test_plot(self) -> None:
        self.run_golden(
            "plot",
            str(self.golden),
            str(self.changed()),
            "--output=curves.html",
        )
        text = (self.folder / "curves.html").read_text()
        self.assertIn("the other", text)
        self.assertEqual(text.count("<svg"), 4)
        refused = self.run_golden("plot", str(self.golden), status=1)
        self.assertIn("arguments are required: --output", refused.stderr)

    def test_export_gives_what_import_takes(self) -> None:
        self.run_golden("export", str(self.golden), "--output=values.json")
        imported = "lts_any.textproto"
        self.run_golden(
            *("import", "values.json", "--channel=lts", "--hardware=any"),
            *("--source=There.", "--note=So.", f"--output=tiny/{imported}"),
        )
        self.run_golden("verify", f"tiny/{imported}")
        self.run_golden("export", f"tiny/{imported}", "--output=again.json")
        self.assertEqual(
            (self.folder / "again.json").read_text(),
            (self.folder / "values.json").read_text(),
        )

    def test_accept_demands_a_reason_and_keeps_it(self) -> None:
        before = self.golden.read_bytes()
        command = ("accept", str(self.changed()), "//tiny/dev_none.textproto")
        refused = self.run_golden(*command, status=1)
        self.assertIn("first in iteration 4", refused.stdout)
        self.assertIn("not replaced without a reason", refused.stderr)
        self.assertEqual(self.golden.read_bytes(), before)
        accepted = self.run_golden(*command, "--reason=A new kernel.")
        self.assertIn("first in iteration 4", accepted.stdout)
        shown = self.run_golden("show", str(self.golden))
        self.assertIn("A new kernel.", shown.stdout)
        self.run_golden("verify", str(self.golden))
        again = self.run_golden(*command, "--reason=Once more.")
        self.assertIn("nothing was written", again.stdout)

    def test_accept_refuses_anothers_golden(self) -> None:
        golden = files.read(self.golden)
        golden.channel = "lts"
        other = self.folder / "other.textproto"
        files.write(golden, other)
        result = self.run_golden(
            "accept", str(other), str(self.golden), "--reason=x", status=1
        )
        self.assertIn("is of channel dev", result.stderr)

    def test_record_replaces_what_is_no_golden(self) -> None:
        golden = files.read(self.golden)
        for text in ("", "no golden"):
            self.golden.write_text(text)
            self.assertEqual(recorder._replace(golden, self.golden, ""), 0)
            self.assertEqual(files.read(self.golden), golden)

    def test_record_replaces_nothing_without_a_reason(self) -> None:
        command = (
            *("record", "--case=tiny.textproto", "--repeats=2"),
            "--output=tiny/dev_none.textproto",
        )
        with contextlib.redirect_stdout(io.StringIO()) as said:
            recorder._replace(files.read(self.golden), self.golden, "")
        self.assertIn("says all of it already", said.getvalue())
        shutil.copyfile(self.changed(), self.golden)
        before = self.golden.read_bytes()
        refused = self.run_golden(*command, status=1)
        self.assertIn("first in iteration 4", refused.stdout)
        self.assertEqual(self.golden.read_bytes(), before)
        # The printed command accepts what was recorded.
        accept = refused.stdout.strip().splitlines()[-1]
        _, _, arguments = accept.partition(" -- ")
        words = arguments.split()[:-1]
        self.run_golden(*words, "--reason=It was changed by hand.")
        last = files.read(self.golden).history[-1]
        self.assertEqual(last.reason, "It was changed by hand.")

    def test_record_writes_what_was_not_there(self) -> None:
        self.golden.unlink()
        self.run_golden("record", "--case=tiny.textproto", "--repeats=2")
        path = self.folder / "testdata/golden/tiny/dev_none.textproto"
        recorded = files.read(path)
        committed = files.read(_GOLDEN)
        self.assertEqual(recorded.series, committed.series)
        self.assertEqual(recorded.checkpoints, committed.checkpoints)


if __name__ == "__main__":
    absltest.main()
