"""Tests for what the cache gives back, builds anew, and refuses."""

import hashlib
import json
import os
import pathlib
import pickle
import threading
from typing import Any

import numpy
from absl.testing import absltest, parameterized

from regress.checkpoint import durable, errors
from regress.run import run_pb2
from regress.trainer import index_cache

_DESCRIPTION = {"data set": {"random_seed": 1234, "split": [[0, 0.8], None]}}
_ARRAYS = (
    numpy.arange(5, dtype=numpy.int32),
    numpy.arange(8, dtype=numpy.int32).reshape(4, 2),
    numpy.array([2, 0, 1], dtype=numpy.uint32),
)
_MOST = sum(one.nbytes for one in _ARRAYS)
_Cache = run_pb2.DataIndex


def _whole() -> bytes:
    return b"".join(
        bytes(part) for part in index_cache.encode(_DESCRIPTION, _ARRAYS)
    )


def _signed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def _with(payload: bytes = b"", **changes: Any) -> bytes:
    """Returns a file whose digest is right, with another header."""
    header = {
        "version": 1,
        "of": _DESCRIPTION,
        "arrays": [["<i4", [2]]],
        **changes,
    }
    return _signed(json.dumps(header).encode() + b"\n" + payload)


class _Planted:
    """Tells on whoever unpickles it."""

    unpickled = False

    def __reduce__(self) -> Any:
        return setattr, (_Planted, "unpickled", True)


class DecodeTest(parameterized.TestCase):
    def test_what_was_encoded_is_decoded(self) -> None:
        decoded = index_cache.decode(_whole(), _DESCRIPTION)
        for mine, wanted in zip(decoded, _ARRAYS, strict=True):
            numpy.testing.assert_array_equal(mine, wanted, strict=True)

    def test_an_empty_array_is_decoded(self) -> None:
        empty = numpy.empty((0, 2), numpy.int64)
        content = b"".join(map(bytes, index_cache.encode({}, (empty,))))
        (decoded,) = index_cache.decode(content, {})
        numpy.testing.assert_array_equal(decoded, empty, strict=True)

    def test_a_file_that_ends_early_is_refused_wherever_it_ends(self) -> None:
        whole = _whole()
        for size in range(len(whole)):
            with self.assertRaises(index_cache.IndexCacheError):
                index_cache.decode(whole[:size], _DESCRIPTION)
            with self.assertRaises(index_cache.IndexCacheError):
                index_cache.decode(
                    whole[:size] + bytes(len(whole) - size), _DESCRIPTION
                )

    def test_any_flipped_bit_is_refused(self) -> None:
        whole = _whole()
        for place in range(len(whole)):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << place % 8
            with self.assertRaises(index_cache.IndexCacheError):
                index_cache.decode(bytes(flipped), _DESCRIPTION)

    @parameterized.parameters(
        (b"", "its 0 bytes do not have the SHA-256"),
        (bytes(40), "its 40 bytes do not have the SHA-256"),
        (_signed(b""), "header is not JSON"),
        (_signed(b"{}"), "header is not JSON"),
        (_signed(b"[" * 50_000 + b"\n"), "header is not JSON"),
        (_signed(b"[]\n"), "version is not 1"),
        (_with(version=2), "version is not 1"),
        (_with(of={}), "of another data set"),
        (_with(of=None), "of another data set"),
        (_with(arrays=None), "lists no arrays"),
        (_with(arrays=["<i4"]), "another type or shape"),
        (_with(arrays=[["|O", [2]]]), "another type or shape"),
        (_with(arrays=[["<i4", 2]]), "another type or shape"),
        (_with(arrays=[["<i4", []]]), "another type or shape"),
        (_with(arrays=[["<i4", [1, 1, 1]]]), "another type or shape"),
        (_with(arrays=[["<i4", [-1]]]), "another type or shape"),
        (_with(arrays=[["<i4", [True]]]), "another type or shape"),
        (_with(arrays=[["<i4", [1.0]]]), "another type or shape"),
        (_with(arrays=[["<i4", [1 << 80]]]), "more than it holds"),
        (_with(b"1234"), "more than it holds"),
        (_with(b"123456789"), "holds more than it lists"),
    )
    def test_what_is_none_is_refused(self, content: bytes, why: str) -> None:
        with self.assertRaisesRegex(index_cache.IndexCacheError, why):
            index_cache.decode(content, _DESCRIPTION)

    def test_what_these_are_made_of_is_accepted(self) -> None:
        (array,) = index_cache.decode(_with(b"12345678"), _DESCRIPTION)
        self.assertLen(array, 2)


class IndexCacheTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path) / "cache"
        self._built = 0

    def _build(self) -> index_cache.Arrays:
        self._built += 1
        return _ARRAYS

    def _get(
        self, disk: durable.Disk | None = None, **changes: Any
    ) -> tuple[run_pb2.DataIndex, str]:
        """Returns what a new cache object found, and its notes."""
        cache = index_cache.IndexCache(self._folder, disk or durable.Disk())
        arrays = cache.get(
            "train", {**_DESCRIPTION, **changes}, _MOST, self._build
        )
        for mine, wanted in zip(arrays, _ARRAYS, strict=True):
            numpy.testing.assert_array_equal(mine, wanted, strict=True)
        (found,) = cache.found
        return found, " ".join(cache.notes)

    def _names(self) -> list[str]:
        return [path.name for path in self._folder.iterdir()]

    def _path(self) -> pathlib.Path:
        cache = index_cache.IndexCache(self._folder, durable.Disk())
        return cache.path("train", _DESCRIPTION)

    def test_it_is_built_once(self) -> None:
        self.assertEqual(
            self._get(),
            (_Cache(cache="MISSING", stored=True, split="train"), ""),
        )
        for _ in range(2):
            self.assertEqual(
                self._get(), (_Cache(cache="VALID", split="train"), "")
            )
        self.assertEqual(self._built, 1)
        self.assertEqual(self._names(), [self._path().name])

    def test_another_data_set_has_another_file(self) -> None:
        self._get()
        self._get(numpy="0.1")
        self._get()
        self.assertEqual(self._built, 2)

    def test_a_file_under_another_name_is_not_believed(self) -> None:
        self._get(numpy="0.1")
        (other,) = self._folder.iterdir()
        other.rename(self._path())
        found, note = self._get()
        self.assertEqual(found.cache, _Cache.UNUSABLE)
        self.assertIn("it is of another data set or of other packages", note)

    def _plant(self, kind: str) -> None:
        path = self._path()
        whole = path.read_bytes()
        match kind:
            case "torn":
                path.write_bytes(whole[: len(whole) // 2])
            case "empty":
                path.write_bytes(b"")
            case "zeroed":
                path.write_bytes(bytes(len(whole)))
            case "pickle":
                path.write_bytes(pickle.dumps(_Planted()))
            case "signed pickle":
                path.write_bytes(_signed(pickle.dumps(_Planted())))
            case "large":
                with open(path, "r+b") as file:
                    file.truncate(1 << 40)
            case "pipe":
                path.unlink()
                os.mkfifo(path)
            case "dangling link":
                path.unlink()
                path.symlink_to(self._folder / "nowhere")

    @parameterized.parameters(
        ("torn", "bytes do not have the SHA-256"),
        ("empty", "its 0 bytes"),
        ("zeroed", "bytes do not have the SHA-256"),
        ("pickle", "bytes do not have the SHA-256"),
        ("signed pickle", "its header is not JSON"),
        ("large", r"has 1099511627776 bytes; expected at most \d{5}\b"),
        ("pipe", "Not a regular file"),
    )
    def test_what_is_planted_is_said_and_replaced(
        self, kind: str, why: str
    ) -> None:
        self._get()
        self._plant(kind)
        found, note = self._get()
        self.assertEqual((found.cache, found.stored), (_Cache.UNUSABLE, True))
        self.assertRegex(
            note,
            rf"^The data set's index {self._path()} cannot be used: .*{why}.* "
            "It is built anew and replaced.$",
        )
        self.assertFalse(_Planted.unpickled)
        self.assertEqual(self._get()[0].cache, _Cache.VALID)

    def test_a_dangling_link_is_replaced(self) -> None:
        self._get()
        self._plant("dangling link")
        self.assertTrue(self._get()[0].stored)
        self.assertEqual(self._get()[0].cache, _Cache.VALID)

    def test_what_cannot_be_replaced_is_built_each_time(self) -> None:
        self._path().mkdir(parents=True)
        for attempt in (1, 2):
            found, note = self._get()
            self.assertFalse(found.stored)
            self.assertIn("cannot be read: Is a directory", note)
            self.assertIn("cannot be kept: Is a directory. Each attempt", note)
            self.assertEqual(self._built, attempt)
        self.assertEqual(self._names(), [self._path().name])

    def test_a_full_disk_is_no_reason_not_to_train(self) -> None:
        class _FullDisk(durable.Disk):
            def create(self, path: pathlib.Path) -> int:
                path.touch()
                return os.open("/dev/full", os.O_WRONLY)

        found, note = self._get(_FullDisk())
        self.assertEqual((found.cache, found.stored), (_Cache.MISSING, False))
        self.assertIn("cannot be kept: No space left on device", note)
        self.assertEmpty(self._names())

    def test_what_a_kill_left_is_removed(self) -> None:
        self._folder.mkdir()
        left = self._path().with_name(f"{self._path().name}.0f{durable.ASIDE}")
        left.write_bytes(_whole()[:-1])
        self.assertEqual(self._get()[0].cache, _Cache.MISSING)
        self.assertEqual(self._names(), [self._path().name])

    def test_a_job_whose_file_another_removes_finds_that_ones(self) -> None:
        other = self

        class _Overtaken(durable.Disk):
            def rename(
                self, source: pathlib.Path, target: pathlib.Path
            ) -> None:
                self.rename = super().rename  # type: ignore[method-assign]
                other._get()
                super().rename(source, target)

        found, note = self._get(_Overtaken())
        self.assertEqual((found.stored, note), (True, ""))
        self.assertEqual(self._get()[0].cache, _Cache.VALID)

    def test_many_jobs_at_once_share_a_cache(self) -> None:
        # In each round all find no index, or one that another job just wrote.
        rounds = threading.Barrier(
            8, action=lambda: self._path().unlink(missing_ok=True)
        )
        failures: list[BaseException] = []

        def job() -> None:
            try:
                for _ in range(20):
                    rounds.wait()
                    found, note = self._get()
                    self.assertEqual(note, "")
                    self.assertTrue(found.stored or found.cache == _Cache.VALID)
                rounds.wait()
            except BaseException as error:
                failures.append(error)
                rounds.abort()

        jobs = [threading.Thread(target=job) for _ in range(8)]
        for one in jobs:
            one.start()
        for one in jobs:
            one.join()
        self.assertEmpty(failures)
        self.assertEmpty(self._names())

    def test_a_cache_that_may_not_be_written_is_read(self) -> None:
        self._get()

        class _ReadOnly(durable.Disk):
            def create(self, path: pathlib.Path) -> int:
                raise errors.CheckpointWriteError("It is not to be written.")

        self.assertEqual(self._get(_ReadOnly())[0].cache, _Cache.VALID)


if __name__ == "__main__":
    absltest.main()
