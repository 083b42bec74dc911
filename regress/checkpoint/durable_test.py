"""Tests for flushing a file while it is written; the sweep tests the rest."""

import errno
import hashlib
import os
import pathlib
import threading
from typing import BinaryIO
from unittest import mock

from absl.testing import absltest

from regress.checkpoint import durable, errors

_CHUNK = b"0123456789abcdef" * (1 << 16)
_CHUNKS = 8


def _produce(file: BinaryIO) -> None:
    for _ in range(_CHUNKS):
        file.write(_CHUNK)


class _FlushingDisk(durable.Disk):
    """Counts flushes, and fails one of them."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.sizes: list[int] = []
        self.threads: list[int] = []
        self.open: set[int] = set()
        # Whether each descriptor was still open when its flush had ended.
        self.all_were_open = True
        self._fails_at = fails_at

    def create(self, path: pathlib.Path) -> int:
        fd = super().create(path)
        self.open.add(fd)
        return fd

    def flush(self, fd: int) -> None:
        self.threads.append(threading.get_ident())
        self.sizes.append(os.fstat(fd).st_size)
        if len(self.sizes) == self._fails_at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().flush(fd)
        self.all_were_open &= fd in self.open

    def close(self, fd: int) -> None:
        self.open.remove(fd)
        super().close(fd)


class FlushTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path) / "file"
        self.enterContext(
            mock.patch.object(durable, "_FLUSHED_BYTES", 2 * len(_CHUNK))
        )

    def test_a_large_file_is_flushed_while_it_is_written(self) -> None:
        disk = _FlushingDisk()
        written = durable.write(disk, self.path, _produce)
        content = self.path.read_bytes()
        self.assertEqual(content, _CHUNK * _CHUNKS)
        self.assertEqual(written.bytes, len(content))
        self.assertEqual(written.sha256, hashlib.sha256(content).hexdigest())
        # All of the file is flushed at the end, by the thread that wrote it.
        self.assertGreater(len(disk.sizes), 1)
        self.assertEqual(disk.sizes[-1], len(content))
        self.assertEqual(disk.threads[-1], threading.get_ident())
        self.assertNotIn(threading.get_ident(), disk.threads[:-1])

    def test_a_flush_that_fails_early_fails_the_save(self) -> None:
        # The flush at the end would succeed.
        disk = _FlushingDisk(fails_at=1)
        with self.assertRaisesRegex(
            errors.CheckpointWriteError, "Input/output error"
        ):
            durable.write(disk, self.path, _produce)
        self.assertEmpty(list(self.path.parent.iterdir()))
        self.assertEmpty(disk.open)

    def test_a_producer_that_fails_leaves_no_flush_behind(self) -> None:
        def fail(file: BinaryIO) -> None:
            _produce(file)
            raise ValueError("no more")

        disk = _FlushingDisk()
        with self.assertRaisesRegex(ValueError, "no more"):
            durable.write(disk, self.path, fail)
        self.assertNotEmpty(disk.sizes)
        self.assertTrue(disk.all_were_open)
        self.assertEmpty(disk.open)


if __name__ == "__main__":
    absltest.main()
