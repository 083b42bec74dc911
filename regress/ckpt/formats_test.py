"""Tests for formats."""

import json
import os
import pathlib
import warnings
from typing import Any

import torch
from absl.testing import absltest, parameterized
from torch.distributed.checkpoint import state_dict_saver

from regress.ckpt import errors, formats

_SAFETENSORS = (2).to_bytes(8, "little") + b"{}"


def _safetensors(**offsets: tuple[int, int]) -> bytes:
    header = {
        name: {
            "dtype": "U8",
            "shape": [end - begin],
            "data_offsets": [begin, end],
        }
        for name, (begin, end) in offsets.items()
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"abc"


def _names(found: formats.Checkpoint) -> list[str]:
    return [name for read in found.parts.values() for name in read()]


class FormatsTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._root = pathlib.Path(self.create_tempdir().full_path)

    def _rank(self, name: str, **files: Any) -> pathlib.Path:
        folder = self._root / "iter_0000020" / name
        folder.mkdir(parents=True)
        for file, content in files.items():
            torch.save(content, folder / f"{file}.pt")
        return folder

    def _refusal(self, path: pathlib.Path) -> str:
        with self.assertRaises(errors.CkptError) as refused:
            _names(formats.find(path))
        return str(refused.exception)

    def test_the_ranks_of_megatrons_layout_are_parts(self) -> None:
        self._rank("mp_rank_00_000", model_optim_rng={"a": 1})
        folder = self._rank(
            "mp_rank_00_001", model_optim_rng={"a": 2}, distrib_optim={"b": 3}
        )
        (folder / "note").touch()
        (folder.parent / "manifest.json").touch()
        (self._root / formats.TRACKER).write_text("20\n")
        for path in (self._root, self._root / "iter_0000020"):
            found = formats.find(path)
            self.assertEqual(found.format, "Megatron torch")
            self.assertEqual(found.path, self._root / "iter_0000020")
            self.assertEqual(
                _names(found),
                [
                    "mp_rank_00_000/a",
                    "mp_rank_00_001/distrib_optim.pt/b",
                    "mp_rank_00_001/a",
                ],
            )
            self.assertEqual(
                found.unread, ("manifest.json", "mp_rank_00_001/note")
            )

    def test_a_released_checkpoint_is_found(self) -> None:
        self._rank("mp_rank_00", model_optim_rng={"a": 1})
        (self._root / "iter_0000020").rename(self._root / "release")
        (self._root / formats.TRACKER).write_text("release")
        self.assertEqual(_names(formats.find(self._root)), ["mp_rank_00/a"])

    def test_distributed_checkpoints_are_found(self) -> None:
        folder = self._root / "iter_0000020"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state_dict_saver.save(
                {"w": torch.ones(1)}, checkpoint_id=folder, no_dist=True
            )
        torch.save({"args": {"x": 1}}, folder / "common.pt")
        (folder / "metadata.json").write_text('{"sharded_backend": "torch"}')
        (folder / "note").touch()
        (self._root / formats.TRACKER).write_text("20")
        found = formats.find(self._root)
        self.assertEqual(found.format, "torch.distributed.checkpoint")
        self.assertEqual(
            _names(found),
            ["w", "common.pt/args/x", "metadata.json/sharded_backend"],
        )
        self.assertEqual(found.unread, ("note",))
        (folder / "metadata.json").write_text("{")
        self.assertIn("metadata.json is damaged", self._refusal(folder))

    def test_files_are_known_by_their_first_bytes(self) -> None:
        path = self._root / "x.bin"
        for old in (True, False):
            torch.save({"a": 1}, path, _use_new_zipfile_serialization=not old)
            self.assertEqual(formats.find(path).format, "torch.save")
            self.assertEqual(_names(formats.find(path)), ["a"])
        path.write_bytes(_SAFETENSORS)
        self.assertEqual(formats.find(path).format, "safetensors")
        self.assertEmpty(_names(formats.find(path)))

    def test_the_split_over_safetensors_files_does_not_matter(self) -> None:
        (self._root / "x-1.safetensors").write_bytes(_safetensors(a=(0, 1)))
        other = self._root / "x-2.safetensors"
        other.write_bytes(_safetensors(b=(0, 2)))
        (self._root / "config.json").touch()
        found = formats.find(self._root)
        self.assertEqual(_names(found), ["a", "b"])
        self.assertEqual(found.unread, ("config.json",))
        other.write_bytes(_safetensors(a=(0, 1)))
        self.assertIn(
            "x-2.safetensors holds a, which", self._refusal(self._root)
        )

    def test_files_beside_a_checkpoint_are_its_parts(self) -> None:
        (self._root / "model.safetensors").write_bytes(_safetensors(a=(0, 1)))
        torch.save({"step": 1}, self._root / "optimizer.pt")
        (self._root / "states").mkdir()
        torch.save([1.5], self._root / "states" / "rng_0.pth")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state_dict_saver.save(
                {"w": torch.ones(1)},
                checkpoint_id=self._root / "states" / "model_0",
                no_dist=True,
            )
        (self._root / "trainer_state.json").write_text("{}")
        beside = ["optimizer.pt/step", "states/model_0/w", "states/rng_0.pth"]
        found = formats.find(self._root)
        self.assertEqual(found.format, "safetensors")
        self.assertEqual(_names(found), ["a", *beside])
        self.assertEqual(found.unread, ("trainer_state.json",))
        self.assertEqual(found.beside, set(found.parts) - {""})
        # Without the weights it is as good as its files.
        (self._root / "model.safetensors").unlink()
        found = formats.find(self._root)
        self.assertEqual(found.format, "folder of files")
        self.assertEqual(_names(found), beside)

    def test_unknown_formats_are_refused(self) -> None:
        self.assertIn("There is no checkpoint", self._refusal(self._root / "x"))
        self.assertRegex(
            self._refusal(self._root),
            r"^The folder .* is of no known format; expected Megatron's torch",
        )
        path = self._root / "x.pt"
        for content in (b"", b"\x89HDF\r\n\x1a\n", b"\x80\x04}."):
            path.write_bytes(content)
            self.assertRegex(
                self._refusal(path), r"^The file .* is of no known format; "
            )

    @parameterized.parameters("", "x", "-1", "٣", "1" * 11)
    def test_a_tracker_of_no_iteration_is_refused(self, text: str) -> None:
        (self._root / formats.TRACKER).write_text(text)
        self.assertIn("expected the number", self._refusal(self._root))

    def test_a_tracker_of_no_checkpoint_is_refused(self) -> None:
        (self._root / formats.TRACKER).write_text("30")
        self.assertIn("names 30, but", self._refusal(self._root))

    def test_pipes_are_refused_without_waiting_for_their_writers(self) -> None:
        folder = self._rank("mp_rank_00_000")
        for path, from_path in (
            (folder / "model_optim_rng.pt", folder.parent),
            (self._root / formats.TRACKER, self._root),
            (self._root / "x.safetensors", self._root / "x.safetensors"),
        ):
            os.mkfifo(path)
            self.assertRegex(
                self._refusal(from_path), "cannot be read: Not a regular file.$"
            )

    def test_a_folder_of_a_rank_without_its_file_is_refused(self) -> None:
        folder = self._rank("mp_rank_00_000")
        self.assertIn(
            "no file " + str(folder / "model_optim_rng.pt"),
            self._refusal(folder.parent),
        )

    def test_what_cannot_be_compared_is_refused_with_its_file(self) -> None:
        path = self._root / "x.pt"
        torch.save({"w": torch.eye(2).to_sparse_csr()}, path)
        self.assertRegex(
            self._refusal(path), r"x.pt cannot be compared: w is a tensor of"
        )


if __name__ == "__main__":
    absltest.main()
