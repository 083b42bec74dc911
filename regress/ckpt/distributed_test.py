"""Tests for distributed."""

import argparse
import datetime
import os
import pathlib
import pickle
import warnings
from typing import Any

import torch
from absl.testing import absltest
from torch.distributed.checkpoint import metadata, state_dict_saver

from regress.ckpt import distributed, entry, errors


class DistributedTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path, "x")

    def _save(self, content: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            # It says that there is no process group.
            warnings.simplefilter("ignore")
            state_dict_saver.save(
                content, checkpoint_id=self._folder, no_dist=True
            )

    def _metadata(self) -> metadata.Metadata:
        # Safe, since we wrote the file.
        with open(self._folder / distributed.METADATA, "rb") as file:
            read = pickle.load(file)
        assert isinstance(read, metadata.Metadata)
        return read

    def _replace_metadata(self, content: Any) -> None:
        with open(self._folder / distributed.METADATA, "wb") as file:
            pickle.dump(content, file)

    def _refusal(self) -> str:
        with self.assertRaises(errors.CkptError) as refused:
            for one in distributed.read(self._folder).values():
                if isinstance(one, entry.Array):
                    one.read()
        self.assertNotIn("weights_only", str(refused.exception))
        return str(refused.exception)

    def test_tensors_and_values_are_read(self) -> None:
        weight = torch.randn(3, 4).bfloat16()
        self._save(
            {
                "model": {"w": weight, "none": torch.empty(0)},
                "step": torch.tensor(7),
                "args": argparse.Namespace(x=1),
            }
        )
        flat = distributed.read(self._folder)
        self.assertEqual(
            {name: one.describe() for name, one in flat.items()},
            {
                "model.w": "bfloat16 [3, 4]",
                "model.none": "float32 [0]",
                "step": "int64 []",
                "args/x": "int 1",
            },
        )
        read = flat["model.w"]
        assert isinstance(read, entry.Array)
        self.assertEqual(
            read.read().tobytes(), weight.view(torch.uint8).numpy().tobytes()
        )

    def test_pipes_are_refused_without_waiting_for_their_writers(self) -> None:
        self._save({"w": torch.zeros(6)})
        (part,) = self._folder.glob("*.distcp")
        for path in (part, self._folder / distributed.METADATA):
            path.unlink()
            os.mkfifo(path)
            self.assertEqual(
                self._refusal(), f"{path} cannot be read: Not a regular file."
            )

    def test_a_tensor_is_put_together_from_its_parts(self) -> None:
        parts = torch.arange(6.0).chunk(2)
        self._save({"w": torch.zeros(6), "a": parts[0], "b": parts[1]})
        # As if two ranks had written the halves of one tensor.
        described = self._metadata()
        whole = described.state_dict_metadata["w"]
        assert isinstance(whole, metadata.TensorStorageMetadata)
        del described.storage_data[metadata.MetadataIndex("w", [0])]
        whole.chunks.clear()
        for at, name in ((0, "a"), (3, "b")):
            offsets = torch.Size([at])
            whole.chunks.append(
                metadata.ChunkStorageMetadata(offsets, torch.Size([3]))
            )
            described.storage_data[metadata.MetadataIndex("w", offsets)] = (
                described.storage_data.pop(
                    metadata.MetadataIndex(name, torch.Size([0]))
                )
            )
            del described.state_dict_metadata[name]
        self._replace_metadata(described)
        flat = distributed.read(self._folder)
        self.assertEqual(list(flat), ["w"])
        read = flat["w"]
        assert isinstance(read, entry.Array)
        self.assertEqual(
            read.read().tobytes(), torch.arange(6.0).numpy().tobytes()
        )
        for offset in (2, 4):
            # An element is in no part, and another in two or outside.
            whole.chunks[1].offsets = torch.Size([offset])
            self._replace_metadata(described)
            self.assertIn(
                "the parts of w overlap, or lie outside of it", self._refusal()
            )
        whole.chunks.pop()
        self._replace_metadata(described)
        self.assertIn("parts of w have 3 elements; expected 6", self._refusal())

    def test_a_value_of_another_type_is_refused_by_name(self) -> None:
        self._save({"when": datetime.date(2026, 1, 1)})
        self.assertRegex(
            self._refusal(), r"^when in .*/x cannot be read: it holds datetime"
        )

    def test_code_is_not_run(self) -> None:
        bait = self._folder.parent / "bait"

        class Payload:
            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(bait),)

        self._save({"x": 1})
        self._replace_metadata(Payload())
        self.assertIn(
            ".metadata cannot be read: it holds posix.mkdir;", self._refusal()
        )
        self._save({"x": Payload()})
        self.assertIn("x in ", self._refusal())
        self.assertFalse(bait.exists())

    def test_damaged_metadata_is_refused(self) -> None:
        self._save({"x": torch.ones(3)})
        path = self._folder / distributed.METADATA
        content = path.read_bytes()
        for damaged in (b"", content[:100], pickle.dumps({"a": 1})):
            with self.subTest(size=len(damaged)):
                path.write_bytes(damaged)
                self.assertIn(".metadata is damaged: ", self._refusal())

    def test_missing_and_damaged_parts_are_refused(self) -> None:
        self._save({"x": torch.ones(300)})
        (part,) = self._folder.glob("*.distcp")
        part.write_bytes(part.read_bytes()[:100])
        self.assertRegex(self._refusal(), "^x in .* cannot be read: ")
        part.unlink()
        self.assertRegex(
            self._refusal(), r"^x in .*\.distcp: No such file or directory\.$"
        )


if __name__ == "__main__":
    absltest.main()
