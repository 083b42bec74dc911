"""Compares the newest checkpoints of two runs of a command, by regress.ckpt.

A file that cannot be read is known to be right only if it is the same bytes.
"""

import filecmp
import importlib
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from regress import errors
from regress.run import run_pb2
from regress.scenario import job_checkpoints

# It needs torch, which a command and an image need not have.
_CKPT = "regress.ckpt"

# Of the names in a checkpoint, and of differences, the record has so many.
_MOST_NAMES = 10_000
_MOST_DIFFERENCES = 1_000


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
        if found := job_checkpoints.find(job, pattern):
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
        try:
            opened = self._formats.find(a), self._formats.find(b)
            comparison = self._difference.compare(*opened)
            entries = [
                (name, entry)
                for label, read in opened[0].parts.items()
                if label not in comparison.left_out
                for name, entry in read().items()
            ]
        except errors.UserError as error:
            self._add_without_format(a, b, str(error))
            return
        self._result.common += comparison.common
        for name, entry in entries[:_MOST_NAMES]:
            self._result.names.append(name)
            if "float" not in getattr(entry, "dtype", ""):
                self._result.names_of_no_floats.append(name)
        for one in comparison.differences:
            elements = one.elements
            self._differ(
                run_pb2.EntryDifference(
                    name=one.name,
                    a=one.a,
                    b=one.b,
                    elements=elements.differing if elements else 0,
                    of_elements=elements.total if elements else 0,
                    ulps=elements.ulps if elements else None,
                )
            )
        in_a, in_b = (one.path for one in opened)
        for name, why in comparison.left_out.items():
            self._add_unread(name, in_a / name, in_b / name, why)
        for name in dict.fromkeys((*opened[0].unread, *opened[1].unread)):
            path = (in_a if name in opened[0].unread else in_b) / name
            why = self._why_not(path)
            self._add_unread(name, in_a / name, in_b / name, why)

    def _add_without_format(
        self, a: pathlib.Path, b: pathlib.Path, why: str
    ) -> None:
        if not a.is_dir() or not b.is_dir():
            self._add_unread(a.name, a, b, why)
            return
        for name in _files(a, b)[:_MOST_DIFFERENCES]:
            own = self._why_not(a / name)
            self._add_unread(name, a / name, b / name, own)

    def _add_unread(
        self, name: str, a: pathlib.Path, b: pathlib.Path, why: str
    ) -> None:
        """Adds a file that cannot be read, at least on one side."""
        there = a.exists(), b.exists()
        if not all(there):
            self._differ(
                run_pb2.EntryDifference(
                    name=name,
                    a="a file" if there[0] else "",
                    b="a file" if there[1] else "",
                )
            )
        elif not a.is_file() or not b.is_file():
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

    def _why_not(self, path: pathlib.Path) -> str:
        try:
            self._formats.find(path)
        except errors.UserError as error:
            return str(error)
        return "there are too many files"

    def _differ(self, one: run_pb2.EntryDifference) -> None:
        if any(pattern.search(one.name) for pattern in self._skipped):
            self._result.common -= bool(one.a and one.b)
            self._leave_out(one.name, "the case says so (not_compared)")
            return
        self._result.differing += 1
        self._result.in_one += not (one.a and one.b)
        if len(self._result.differences) < _MOST_DIFFERENCES:
            self._result.differences.append(one)

    def _leave_out(self, what: str, why: str) -> None:
        _leave_out(self._result, what, why)


def _leave_out(
    result: run_pb2.CheckpointComparison, what: str, why: str
) -> None:
    if len(result.not_compared) < _MOST_DIFFERENCES:
        result.not_compared.add(what=what, why=why)


def _files(*folders: pathlib.Path) -> list[str]:
    """Returns the paths of all files in some folders, within these."""
    return sorted(
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
