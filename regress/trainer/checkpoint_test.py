"""Tests for the checkpoint files; resuming itself is tested in scenario/."""

import argparse
import dataclasses
import datetime
import errno
import os
import pathlib
from typing import Any
from unittest import mock

import torch
from absl.testing import absltest, parameterized

from regress.checkpoint import durable, errors, layout, view
from regress.trainer import checkpoint, training_state


class _Scheduler:
    def state_dict(self) -> dict[str, Any]:
        return {"num_steps": 32}


class _Optimizer:
    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": {}}


class _State:
    """The part of a TrainingState that a save needs."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration
        self.consumed_samples = 16 * iteration
        self.optimizer = _Optimizer()
        self.scheduler = _Scheduler()

    def models(self) -> list[Any]:
        return []


class _FullDisk(durable.Disk):
    """A disk with room for a number of bytes."""

    def __init__(self, room: int) -> None:
        self._room = room

    def write(self, fd: int, data: memoryview) -> int:
        if not self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = super().write(fd, data[: self._room])
        self._room -= count
        return count


class CheckpointTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path)
        self._checkpoints = checkpoint.Checkpoints(
            self._folder, rank=3, ranks=4, gather=lambda mine: [mine]
        )
        # Rank 0 writes the manifest and the tracker.
        self._first = checkpoint.Checkpoints(
            self._folder, rank=0, ranks=1, gather=lambda mine: [mine]
        )
        self.enter_context(
            mock.patch.object(training_state, "get_streams", return_value={})
        )

    def _save(self, iteration: int) -> pathlib.Path:
        self._checkpoints.save(_State(iteration), lambda: None)  # type: ignore[arg-type]
        return self._checkpoints.path(iteration)

    def test_the_layout_is_megatrons(self) -> None:
        path = self._save(20)
        self.assertEqual(
            path.relative_to(self._folder),
            pathlib.Path("iter_0000020/mp_rank_00_003/model_optim_rng.pt"),
        )
        self.assertTrue(path.is_file())

    def test_the_tracker_comes_last(self) -> None:
        seen: list[tuple[bool, int | None]] = []

        def look() -> None:
            written = self._first.path(20).is_file()
            seen.append((written, self._first.look().iteration))

        self._first.save(_State(20), look)  # type: ignore[arg-type]
        self.assertEqual(seen, [(True, None)])
        self.assertEqual(self._first.look(), view.View(20))
        self.assertEqual(layout.read_tracker(self._folder), 20)

    def test_nothing_is_left_beside_the_files(self) -> None:
        self._first.save(_State(20), lambda: None)  # type: ignore[arg-type]
        names = {file.name for file in self._folder.rglob("*")}
        self.assertEqual(
            names,
            {
                "iter_0000020",
                "mp_rank_00_000",
                "model_optim_rng.pt",
                layout.MANIFEST,
                layout.TRACKER,
            },
        )

    def test_a_save_that_fails_leaves_the_file_before_it(self) -> None:
        path = self._save(20)
        before = path.read_bytes()
        with (
            mock.patch.object(torch, "save", side_effect=OSError("disk full")),
            self.assertRaises(errors.CheckpointWriteError),
        ):
            self._save(20)
        self.assertEqual(path.read_bytes(), before)

    @parameterized.parameters(0, 100, 200)
    def test_a_full_disk_is_said_and_leaves_nothing(self, room: int) -> None:
        full = dataclasses.replace(self._first, disk=_FullDisk(room))
        self._first.save(_State(10), lambda: None)  # type: ignore[arg-type]
        before = {*self._folder.rglob("*")}
        with self.assertRaisesRegex(
            errors.CheckpointWriteError,
            "model_optim_rng.pt cannot be written: No space left on device",
        ):
            full.save(_State(20), lambda: None)  # type: ignore[arg-type]
        left = [p for p in {*self._folder.rglob("*")} - before if p.is_file()]
        self.assertEmpty(left)
        self.assertEqual(self._first.look().iteration, 10)

    def test_old_checkpoints_are_deleted(self) -> None:
        keeps_two = dataclasses.replace(self._first, keep=2)
        for iteration in (10, 20, 30, 40):
            keeps_two.save(_State(iteration), lambda: None)  # type: ignore[arg-type]
        self.assertEqual(layout.iterations(self._folder), [30, 40])

    def test_a_missing_file_is_refused(self) -> None:
        with self.assertRaisesRegex(
            errors.CheckpointError, r"has no file .*mp_rank_00_003"
        ):
            self._load(20)

    def test_a_type_that_torch_blocks_is_refused_without_advice(self) -> None:
        path = self._checkpoints.path(20)
        path.parent.mkdir(parents=True)
        for content in (view.View(20), {1: datetime.date(2026, 1, 1)}):
            torch.save(content, path)
            with self.assertRaises(errors.CheckpointError) as refused:
                self._load(20)
            self.assertRegex(str(refused.exception), r"it holds [\w.]+; ")
            self.assertNotIn("weights_only", str(refused.exception))

    @parameterized.parameters(0, 1, 100, -1)
    def test_a_truncated_file_is_refused(self, size: int) -> None:
        path = self._save(20)
        content = path.read_bytes()
        path.write_bytes(content[:size])
        with self.assertRaisesRegex(errors.CheckpointError, "cannot be read"):
            self._load(20)

    def test_a_file_of_another_iteration_is_refused(self) -> None:
        old, new = self._save(10), self._checkpoints.path(20)
        new.parent.mkdir(parents=True)
        old.rename(new)
        with self.assertRaisesRegex(
            errors.CheckpointError, "is of iteration 10; expected 20"
        ):
            self._load(20)

    def test_code_in_a_file_is_not_run(self) -> None:
        path = self._checkpoints.path(20)
        path.parent.mkdir(parents=True)
        bait = self._folder / "bait"

        class Payload:
            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(bait),)

        torch.save({"iteration": 20, "args": Payload()}, path)
        # The payload does work with a reader that trusts the file; see below.
        with self.assertRaisesRegex(
            errors.CheckpointError,
            r"model_optim_rng.pt cannot be read: it holds posix\.mkdir; "
            "expected only tensors",
        ) as refused:
            self._load(20)
        self.assertFalse(bait.exists())
        # torch's own message advises to read the file in that way.
        self.assertNotIn("weights_only", str(refused.exception))
        torch.load(path, weights_only=False)
        self.assertTrue(bait.exists())

    def test_a_pickle_of_megatrons_arguments_is_read(self) -> None:
        path = self._save(20)
        saved = checkpoint._read(path, 20)
        self.assertEqual(saved["args"].consumed_train_samples, 320)
        self.assertIsInstance(saved["args"], argparse.Namespace)

    def _load(self, iteration: int) -> None:
        self._checkpoints.load(iteration, _State(0))  # type: ignore[arg-type]


if __name__ == "__main__":
    absltest.main()
