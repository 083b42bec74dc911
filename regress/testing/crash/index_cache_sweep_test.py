"""Crashes the writer of the index cache at every point.

On every disk that a crash may leave, the next attempt must train the samples
that it would have trained, and the one after it must find them in the cache.
megatron-core's own cache must be seen to break this.
"""

import collections
import io
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import numpy
from absl import logging
from absl.testing import absltest, parameterized
from megatron.core.datasets import gpt_dataset

from regress.checkpoint import durable
from regress.run import run_pb2
from regress.testing import instrumentation
from regress.testing.crash import (
    crash_points,
    interleaving,
    page_cache_model,
    recording_disk,
)
from regress.trainer import data, index_cache, small_corpus_test_helper

_DESCRIPTION = {"data set": "small"}
_ARRAYS = (
    numpy.arange(500, dtype=numpy.int32),
    numpy.arange(800, dtype=numpy.int32).reshape(400, 2),
    numpy.arange(399, dtype=numpy.uint32)[::-1],
)
_MOST = sum(one.nbytes for one in _ARRAYS)
_Cache = run_pb2.DataIndex

_FOLDER = pathlib.PurePosixPath("job/data_cache")
_EMPTY: page_cache_model.Found = {}


class _FlushesNoFile(instrumentation.WrappedDisk):
    def flush(self, fd: int) -> None:
        del fd


class IndexCacheSweepTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self._base = folder / "base"
        self._scratch = folder / "scratch"
        # A small buffer, so that a file takes several writes.
        self.enter_context(mock.patch.object(durable, "_BUFFER_BYTES", 2000))

    def _get(self, folder: pathlib.Path, disk: durable.Disk) -> _Cache:
        """Gets the index, which must be right wherever it comes from."""
        cache = index_cache.IndexCache(folder, disk)
        arrays = cache.get("train", _DESCRIPTION, _MOST, lambda: _ARRAYS)
        for mine, wanted in zip(arrays, _ARRAYS, strict=True):
            numpy.testing.assert_array_equal(mine, wanted, strict=True)
        (found,) = cache.found
        self.assertLen(cache.notes, int(found.cache == _Cache.UNUSABLE))
        return found

    def _record(
        self,
        before: page_cache_model.Found,
        jobs: int = 1,
        with_disk: Callable[[durable.Disk], durable.Disk] = lambda disk: disk,
    ) -> Sequence[recording_disk.Operation]:
        """Records jobs that write the index, each one operation at a time."""
        page_cache_model.make(before, self._base)
        log: list[recording_disk.Operation] = []
        turns = interleaving.Interleaving(range(jobs), alternate=True)

        def job(number: int) -> None:
            disk = recording_disk.RecordingDisk(
                number, self._base, log, turns.step
            )
            self._get(self._base / _FOLDER, with_disk(disk))

        turns.run(job)
        return log

    def _with(self, damage: Callable[[bytes], bytes]) -> page_cache_model.Found:
        """Returns a disk with a damaged index."""
        disk = page_cache_model.PageCacheModel(_EMPTY)
        for one in self._record(_EMPTY):
            disk.apply(one)
        return {
            path: content and damage(content)
            for path, content in disk.after_kill().items()
        }

    def _sweep(
        self,
        before: page_cache_model.Found,
        operations: Sequence[recording_disk.Operation],
    ) -> dict[tuple[bool, bool], set[int]]:
        """Crashes everywhere.

        Returns:
            What was found, by whether a power failure came and whether all
            operations were done.
        """
        found: dict[tuple[bool, bool], set[int]] = {}
        points = 0
        seen = set()
        for point in crash_points.crash_points(before, operations):
            points += 1
            for disk in point.disks:
                key = (point.power, point.done == len(operations))
                if (key, tuple(disk.items())) in seen:
                    continue
                seen.add((key, tuple(disk.items())))
                page_cache_model.make(disk, self._scratch)
                folder = self._scratch / _FOLDER
                with self.subTest(point.where):
                    first = self._get(folder, durable.Disk())
                    then = self._get(folder, durable.Disk())
                    self.assertEqual(then.cache, _Cache.VALID)
                found.setdefault(key, set()).add(first.cache)
        logging.info("%d crash points, %d disks", points, len(seen))
        self.assertGreater(points, 2 * len(operations))
        return found

    def test_a_first_write(self) -> None:
        found = self._sweep(_EMPTY, self._record(_EMPTY))
        # Before the end it is there or not, but never damaged.
        for power in (False, True):
            self.assertEqual(
                found[power, False], {_Cache.MISSING, _Cache.VALID}
            )
            self.assertEqual(found[power, True], {_Cache.VALID})

    @parameterized.named_parameters(
        ("empty", lambda content: b""),
        ("torn", lambda content: content[: len(content) // 2]),
        ("zeroed", lambda content: bytes(len(content))),
    )
    def test_a_write_in_place_of_a_damaged_one(
        self, damage: Callable[[bytes], bytes]
    ) -> None:
        before = self._with(damage)
        found = self._sweep(before, self._record(before))
        for power in (False, True):
            self.assertEqual(
                found[power, False], {_Cache.UNUSABLE, _Cache.VALID}
            )
            self.assertEqual(found[power, True], {_Cache.VALID})

    def test_two_jobs_at_once(self) -> None:
        operations = self._record(_EMPTY, jobs=2)
        self.assertEqual(
            {one.rank for one in operations if one.kind == "create"}, {0, 1}
        )
        found = self._sweep(_EMPTY, operations)
        for power in (False, True):
            self.assertEqual(
                found[power, False], {_Cache.MISSING, _Cache.VALID}
            )
            self.assertEqual(found[power, True], {_Cache.VALID})

    def test_a_rename_before_the_flush_is_found_out(self) -> None:
        operations = self._record(_EMPTY, with_disk=_FlushesNoFile)
        found = self._sweep(_EMPTY, operations)
        # Not even then is a damaged index used; but it is damaged.
        self.assertIn(_Cache.UNUSABLE, found[True, True])


class _WrittenWhenClosed(io.StringIO):
    """A text file that is written as a whole, as a short one is."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        super().__init__()
        self._write = write

    def close(self) -> None:
        if not self.closed:
            self._write(self.getvalue().encode())
        super().close()


class MegatronCoresOwnCacheTest(absltest.TestCase):
    """What this sweep would have found."""

    def setUp(self) -> None:
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self._base = folder / "base"
        self._scratch = folder / "scratch"
        self._corpus = folder / "text"
        small_corpus_test_helper.write(self._corpus)
        self._case = small_corpus_test_helper.case()
        # So many samples that a file is longer than twice its header.
        self._case.training.iterations = 20

    def _build(self, folder: pathlib.Path) -> small_corpus_test_helper.Samples:
        def config(**fields: Any) -> gpt_dataset.GPTDatasetConfig:
            del fields["indices"]
            fields["path_to_cache"] = str(folder)
            return gpt_dataset.GPTDatasetConfig(**fields)

        with (
            mock.patch.object(data, "_CachedDatasetConfig", config),
            mock.patch.object(data, "_CachedDataset", gpt_dataset.GPTDataset),
        ):
            return small_corpus_test_helper.samples(
                data.build_dataset(self._case, self._corpus, mock.Mock())
            )

    def _record(
        self,
    ) -> tuple[
        small_corpus_test_helper.Samples, Sequence[recording_disk.Operation]
    ]:
        log: list[recording_disk.Operation] = []
        disk = recording_disk.RecordingDisk(
            0, self._base, log, lambda rank: None
        )

        def write(path: str, content: bytes) -> None:
            fd = disk.create(pathlib.Path(path))
            disk.write(fd, memoryview(content))
            disk.close(fd)

        def save(path: str, array: Any, **options: Any) -> None:
            content = io.BytesIO()
            numpy.lib.format.write_array(content, array, **options)
            write(path, content.getvalue())

        page_cache_model.make(_EMPTY, self._base)
        durable.make_folder(disk, self._base / _FOLDER)
        with (
            mock.patch.object(numpy, "save", save),
            mock.patch.object(
                gpt_dataset,
                "open",
                lambda path, mode: _WrittenWhenClosed(
                    lambda content: write(path, content)
                ),
                create=True,
            ),
        ):
            return self._build(self._base / _FOLDER), log

    def _ends(self) -> Iterator[tuple[str, str]]:
        """Yields how the next attempt ends, after each crash."""
        samples, operations = self._record()
        seen = set()
        for point in crash_points.crash_points(_EMPTY, operations):
            for disk in point.disks:
                key = (point.power, tuple(disk.items()))
                if key in seen:
                    continue
                seen.add(key)
                page_cache_model.make(disk, self._scratch)
                try:
                    found = self._build(self._scratch / _FOLDER)
                except Exception as error:
                    yield point.where, type(error).__name__
                else:
                    right = found == samples
                    yield point.where, "right" if right else "other samples"

    def test_it_is_found_out(self) -> None:
        ends = list(self._ends())
        logging.info("%s", collections.Counter(end for _, end in ends))
        after_a_kill = {end for where, end in ends if where.startswith("kill")}
        # Between its creation and its first write a file is empty.
        self.assertContainsSubset({"right", "EOFError"}, after_a_kill)
        # A file whose end is zeros is taken in silence.
        self.assertIn("other samples", {end for _, end in ends})


if __name__ == "__main__":
    absltest.main()
