"""Runs the whole test and compares what it opens with docs/durability.md."""

import fnmatch
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

from absl.testing import absltest

from regress.testing import opened_files

_DOCUMENT = pathlib.Path("docs/durability.md")
_HEADING = "## Every file that a run opens"
_CASE = pathlib.Path("regress/testdata/tiny.textproto")
_GOLDEN = pathlib.Path("regress/testdata/tiny/dev_none.textproto")
_CORPUS = pathlib.Path("regress/testdata/tiny_corpus")
_ROLES = {"main": "test", "zygote": "zygote", "rank": "rank", "guard": "guard"}
# Reads elsewhere are of packages, fonts and the kernel: which ones there are
# depends on the machine.
_ELSEWHERE = "any other"

_Processes = frozenset[str]
# By file: the processes that write it and those that read it.
_Files = dict[str, tuple[_Processes, _Processes]]


def _rows() -> Iterator[list[str]]:
    """Yields the cells of each row of the document's table."""
    _, _, chapter = _DOCUMENT.read_text().partition(_HEADING)
    for line in chapter.partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def _processes(cell: str) -> _Processes:
    return frozenset(cell.split(", ")) - {"nobody"}


def _documented() -> _Files:
    return {
        name.strip("`"): (_processes(writers), _processes(readers))
        for name, writers, readers, *_ in _rows()
    }


class OpenedFilesTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path)
        for name in ("trace", "work", "outputs"):
            (self._folder / name).mkdir()

    def _run(self) -> None:
        completed = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "regress.runner.main"),
                *(f"--case={_CASE}", f"--golden={_GOLDEN}"),
            ],
            env={
                **os.environ,
                **opened_files.traced(self._folder / "trace"),
                # The caches of byte code are no part of a run.
                "PYTHONDONTWRITEBYTECODE": "1",
                "TEST_TMPDIR": str(self._folder / "work"),
                "TEST_UNDECLARED_OUTPUTS_DIR": str(self._folder / "outputs"),
                "XML_OUTPUT_FILE": str(self._folder / "test.xml"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(
            completed.returncode, 0, completed.stdout + completed.stderr
        )

    def _name(self, path: str) -> str:
        """Returns a path's name in the document, before its wildcards."""
        declared = {
            pathlib.Path.cwd() / file: name
            for file, name in (
                (_CASE, "CASE"),
                (_GOLDEN, "GOLDEN"),
                (_CORPUS.with_suffix(".bin"), "CORPUS.bin"),
                (_CORPUS.with_suffix(".idx"), "CORPUS.idx"),
            )
        }
        if name := declared.get(pathlib.Path(path)):
            return name
        path = re.sub(
            rf"^{re.escape(str(self._folder))}/work/tmp[^/]*", "WORK", path
        )
        path = path.replace(str(self._folder / "outputs"), "OUTPUTS")
        return path.replace(str(self._folder), "BAZEL")

    def _opened(self, documented: _Files) -> _Files:
        writers: dict[str, set[str]] = {}
        readers: dict[str, set[str]] = {}
        for one in opened_files.read(self._folder / "trace"):
            name = self._name(one.path)
            if not one.writes and name.startswith("/"):
                continue
            matching = [
                pattern
                for pattern in documented
                if fnmatch.fnmatchcase(name, pattern)
            ]
            self.assertLessEqual(len(matching), 1, name)
            # What matches none stands for itself.
            (row,) = matching or [name]
            into = writers if one.writes else readers
            into.setdefault(row, set()).add(_ROLES[one.role])
        return {
            row: (
                frozenset(writers.get(row, ())),
                frozenset(readers.get(row, ())),
            )
            for row in writers.keys() | readers.keys()
        }

    def test_the_document_lists_every_file(self) -> None:
        self._run()
        documented = _documented()
        del documented[_ELSEWHERE]
        self.assertEqual(self._opened(documented), documented)

    def test_every_file_has_an_answer_to_each_question(self) -> None:
        rows = list(_rows())
        self.assertGreater(len(rows), 15)
        for row in rows:
            self.assertLen(row, 8, row[0])
            self.assertNotIn("", row)

    def test_every_test_that_is_named_exists(self) -> None:
        named = {
            label
            for row in _rows()
            for label in re.findall(r"`(\w+_test)`", row[-1])
        }
        self.assertContainsSubset({"sweep_test", "data_test"}, named)
        chapter = _DOCUMENT.read_text()
        for label in named:
            self.assertRegex(chapter, rf"//[a-z/]+:{label}\b")


if __name__ == "__main__":
    absltest.main()
