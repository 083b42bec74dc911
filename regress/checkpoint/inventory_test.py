"""Tests for listing a checkpoint directory."""

import hashlib
import os
import pathlib
from unittest import mock

from absl.testing import absltest

from regress.checkpoint import inventory, layout, manifest
from regress.run import run_pb2

_FILES = ("mp_rank_00_000/model_optim_rng.pt", "mp_rank_00_001/x.pt")


class InventoryTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._root = pathlib.Path(self.create_tempdir().full_path)

    def _save(self, iteration: int) -> pathlib.Path:
        folder = layout.folder(self._root, iteration)
        listed = []
        for name in _FILES:
            content = f"{name} {iteration}".encode()
            path = folder / name
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
            listed.append(
                manifest.File(
                    name, len(content), hashlib.sha256(content).hexdigest()
                )
            )
        (folder / layout.MANIFEST).write_bytes(
            manifest.encode(manifest.Manifest(iteration, tuple(listed)))
        )
        (self._root / layout.TRACKER).write_text(str(iteration))
        return folder

    def test_lists_every_checkpoint_and_file(self) -> None:
        self._save(3)
        self._save(12)
        found = inventory.take(self._root)
        self.assertEqual(found.tracker, 12)
        self.assertEqual([one.iteration for one in found.checkpoints], [3, 12])
        for one in found.checkpoints:
            self.assertEqual(one.manifest_iteration, one.iteration)
            self.assertEqual([file.path for file in one.files], [*_FILES])
            for file in one.files:
                self.assertEqual(file.stored_bytes, file.listed_bytes)
                self.assertEqual(file.stored_digest, file.listed_digest)
                self.assertLen(file.stored_digest, 64)

    def test_of_a_changed_file_it_has_both(self) -> None:
        path = self._save(3) / _FILES[1]
        path.write_bytes(path.read_bytes()[:-1] + b"!?")
        (checkpoint,) = inventory.take(self._root).checkpoints
        same, changed = checkpoint.files
        self.assertEqual(same.stored_digest, same.listed_digest)
        self.assertNotEqual(changed.stored_digest, changed.listed_digest)
        self.assertEqual(changed.stored_bytes, changed.listed_bytes + 1)

    def test_of_a_missing_file_it_has_nothing(self) -> None:
        (self._save(3) / _FILES[0]).unlink()
        (checkpoint,) = inventory.take(self._root).checkpoints
        self.assertEqual(checkpoint.files[0].stored_bytes, -1)
        self.assertEqual(checkpoint.files[0].stored_digest, "")

    def test_of_a_pipe_it_has_nothing(self) -> None:
        path = self._save(3) / _FILES[0]
        path.unlink()
        os.mkfifo(path)
        (checkpoint,) = inventory.take(self._root).checkpoints
        self.assertEqual(checkpoint.files[0].stored_bytes, -1)

    def test_a_folder_without_a_manifest_has_no_files(self) -> None:
        (self._save(3) / layout.MANIFEST).write_bytes(b"{")
        self.assertEqual(
            list(inventory.take(self._root).checkpoints),
            [run_pb2.StoredCheckpoint(iteration=3)],
        )

    def test_a_directory_that_is_not_there_is_empty(self) -> None:
        self.assertEqual(
            inventory.take(self._root / "none"), run_pb2.CheckpointDirectory()
        )

    def test_a_number_that_a_record_cannot_hold_is_not_there(self) -> None:
        self._save(3)
        (self._root / layout.TRACKER).write_text(str(2**31))
        for name in ("iter_2147483648", "iter_99999999999", "iter_00000003"):
            (self._root / name).mkdir()
        found = inventory.take(self._root)
        self.assertFalse(found.HasField("tracker"))
        self.assertEqual([one.iteration for one in found.checkpoints], [3])

    def test_a_directory_that_cannot_be_read_is_empty(self) -> None:
        with mock.patch.object(
            pathlib.Path, "iterdir", side_effect=OSError("broken")
        ):
            self.assertEmpty(inventory.take(self._root).checkpoints)

    def test_a_tracker_that_names_nothing_is_not_there(self) -> None:
        self._save(3)
        (self._root / layout.TRACKER).write_text("release")
        self.assertFalse(inventory.take(self._root).HasField("tracker"))


if __name__ == "__main__":
    absltest.main()
