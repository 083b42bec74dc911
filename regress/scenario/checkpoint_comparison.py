"""Compares the newest checkpoints of two runs of a command.

A folder of no known format is compared file by file, and so are the files in a
folder that are no part of its checkpoint: some frameworks put the weights into
one format, and the optimizer beside it into another. A file that cannot be read
is known to be right only if it is the same bytes.
"""

import filecmp
import importlib
import itertools
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from regress import errors
from regress.run import run_pb2
from regress.scenario import command_scenario

# It needs torch, which a command and an image need not have.
_CKPT = "regress.ckpt"

# Of the names in a checkpoint, and of differences, the record has so many.
_MOST_NAMES = 10_000
_MOST_DIFFERENCES = 1_000

# A checkpoint of a framework may come with as many files as there are ranks.
_MOST_FILES = 1_000


def compare(
    a: pathlib.Path, b: pathlib.Path, pattern: str, skipped: Sequence[str]
) -> run_pb2.CheckpointComparison:
    """Compares the newest checkpoints in two folders of jobs.

    Args:
        a: One folder.
        b: The other.
        pattern: The case's pattern for the paths of checkpoints.
        skipped: Regular expressions for the names that are not compared.
    """
    result = run_pb2.CheckpointComparison()
    if not pattern:
        return result
    newest = []
    for side, job in (("a", a), ("b", b)):
        if found := command_scenario.checkpoints_in(job, pattern):
            newest.append(found[-1])
            setattr(result, side, found[-1].relative_to(job).as_posix())
    if len(newest) == 2:
        try:
            _Comparison(result, skipped).add(*newest)
        except ImportError as error:
            _leave_out(result, result.a, f"a module is missing: {error}")
    return result


class _Comparison:
    """Adds to the record of a comparison."""

    def __init__(
        self, result: run_pb2.CheckpointComparison, skipped: Sequence[str]
    ) -> None:
        self._result = result
        self._skipped = [re.compile(pattern) for pattern in skipped]
        self._formats: Any = importlib.import_module(f"{_CKPT}.formats")
        self._difference: Any = importlib.import_module(f"{_CKPT}.difference")

    def add(self, a: pathlib.Path, b: pathlib.Path) -> None:
        """Compares two checkpoints, each a file or a folder."""
        opened = self._open(a), self._open(b)
        if None not in opened:
            self._compare(a.name, *opened)
            rest: Iterator[str] = iter(
                sorted({name for one in opened for name in one.unread})
            )
        elif a.is_dir() and b.is_dir():
            rest = _files(a, b)
        else:
            self._add_unread(a.name, a, b, self._why_not(a, b))
            return
        for name in itertools.islice(rest, _MOST_FILES):
            self._add_file(name, a / name, b / name)

    def _add_file(self, name: str, a: pathlib.Path, b: pathlib.Path) -> None:
        if not a.is_file() or not b.is_file():
            if not a.exists() or not b.exists():
                self._differ(
                    run_pb2.EntryDifference(
                        name=name,
                        a="a file" if a.exists() else "",
                        b="a file" if b.exists() else "",
                    )
                )
            return
        opened = self._open(a), self._open(b)
        if None not in opened:
            self._compare(name, *opened)
        else:
            self._add_unread(name, a, b, self._why_not(a, b))

    def _add_unread(
        self, name: str, a: pathlib.Path, b: pathlib.Path, why: str
    ) -> None:
        """Adds what cannot be read: it may be the same bytes all the same."""
        if not a.is_file() or not b.is_file():
            self._leave_out(name, why)
        elif not filecmp.cmp(a, b, shallow=False):
            # The folders of jobs are gone when somebody reads this.
            for path in (a, b):
                why = why.replace(str(path), path.name)
            self._leave_out(name, f"it is not the same bytes in both. {why}")
        else:
            self._result.common += 1
            if len(self._result.names) < _MOST_NAMES:
                self._result.names.append(name)
                self._result.names_of_no_floats.append(name)

    def _open(self, path: pathlib.Path) -> Any:
        try:
            return self._formats.find(path)
        except errors.UserError:
            return None

    def _why_not(self, a: pathlib.Path, b: pathlib.Path) -> str:
        for path in (a, b):
            try:
                self._formats.find(path)
            except errors.UserError as error:
                return str(error)
        return "one is a file, and the other a folder"

    def _compare(self, label: str, a: Any, b: Any) -> None:
        prefix = "" if label == pathlib.PurePath(self._result.a).name else label
        try:
            comparison = self._difference.compare(a, b)
            entries = [
                (self._named(prefix, name), entry)
                for part in a.parts.values()
                for name, entry in part().items()
            ]
        except errors.UserError as error:
            self._add_unread(label, a.path, b.path, str(error))
            return
        self._result.common += comparison.common
        room = _MOST_NAMES - len(self._result.names)
        for name, entry in entries[:room]:
            self._result.names.append(name)
            if "float" not in getattr(entry, "dtype", ""):
                self._result.names_of_no_floats.append(name)
        for one in comparison.differences:
            elements = one.elements
            self._differ(
                run_pb2.EntryDifference(
                    name=self._named(prefix, one.name),
                    a=one.a,
                    b=one.b,
                    elements=elements.differing if elements else 0,
                    of_elements=elements.total if elements else 0,
                    ulps=elements.ulps if elements else None,
                )
            )

    def _named(self, prefix: str, name: str) -> str:
        return f"{prefix}/{name}" if prefix else name

    def _differ(self, one: run_pb2.EntryDifference) -> None:
        if any(pattern.search(one.name) for pattern in self._skipped):
            self._result.common -= bool(one.a and one.b)
            self._leave_out(one.name, "the case says so (not_compared)")
            return
        self._result.differing += 1
        if len(self._result.differences) < _MOST_DIFFERENCES:
            self._result.differences.append(one)

    def _leave_out(self, what: str, why: str) -> None:
        _leave_out(self._result, what, why)


def _leave_out(
    result: run_pb2.CheckpointComparison, what: str, why: str
) -> None:
    if len(result.not_compared) < _MOST_DIFFERENCES:
        result.not_compared.add(what=what, why=why)


def _files(*folders: pathlib.Path) -> Iterator[str]:
    """Yields the paths of all files in some folders, within these."""
    yield from sorted(
        {
            path.relative_to(folder).as_posix()
            for folder in folders
            for path in folder.rglob("*")
            if path.is_file()
        }
    )


def comparer(
    pattern: str, skipped: Sequence[str]
) -> Callable[[pathlib.Path, pathlib.Path], run_pb2.CheckpointComparison]:
    """Returns `compare` with what a case says."""
    return lambda a, b: compare(a, b, pattern, skipped)
