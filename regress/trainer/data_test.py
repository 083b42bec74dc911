"""Tests for the order of the data."""

import itertools
import pathlib
from typing import Any
from unittest import mock

import megatron.core
import numpy
import torch
from absl.testing import absltest
from megatron.core.datasets import gpt_dataset, indexed_dataset

from regress.case import case_pb2
from regress.checkpoint import durable
from regress.run import run_pb2
from regress.trainer import data, index_cache, small_corpus_test_helper

_CPU = torch.device("cpu")
_SPLITS = ("train", "valid", "test")
_Samples = small_corpus_test_helper.Samples


class _Dataset:
    """Sample i is filled with i."""

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"tokens": torch.full((4,), index)}


class MicrobatchesTest(absltest.TestCase):
    def _first_tokens(self, consumed_samples: int, count: int) -> list[int]:
        batches = data.microbatches(
            _Dataset(),
            consumed_samples,
            2,
            _CPU,
        )
        return [
            int(sample[0])
            for batch in itertools.islice(batches, count)
            for sample in batch.tensors["tokens"]
        ]

    def test_samples_come_in_order(self) -> None:
        self.assertEqual(self._first_tokens(0, 3), [0, 1, 2, 3, 4, 5])

    def test_continues_after_the_consumed_samples(self) -> None:
        self.assertEqual(self._first_tokens(4, 2), [4, 5, 6, 7])

    def test_a_microbatch_is_batch_first(self) -> None:
        batch = next(data.microbatches(_Dataset(), 0, 2, _CPU))
        self.assertEqual(batch.tensors["tokens"].shape, (2, 4))

    def test_draws_from_no_random_stream(self) -> None:
        streams = torch.get_rng_state(), str(numpy.random.get_state())
        self._first_tokens(0, 3)
        self.assertTrue(torch.equal(torch.get_rng_state(), streams[0]))
        self.assertEqual(str(numpy.random.get_state()), streams[1])


class CheckCorpusTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._corpus = pathlib.Path(self.create_tempdir().full_path) / "text"
        self._case = case_pb2.Case(
            name="small", data=case_pb2.Data(split="8,1,1")
        )

    def _write(self, documents: int) -> None:
        builder = indexed_dataset.IndexedDatasetBuilder(f"{self._corpus}.bin")
        for _ in range(documents):
            builder.add_document(torch.arange(5), [5])
        builder.finalize(f"{self._corpus}.idx")

    def test_enough_documents_will_do(self) -> None:
        self._write(10)
        data._check_corpus(self._case, self._corpus)

    def test_a_split_without_a_document_is_refused(self) -> None:
        self._write(9)
        with self.assertRaisesRegex(
            data.DataError, "has 9 documents; the split 8,1,1 needs 10"
        ):
            data._check_corpus(self._case, self._corpus)

    def test_a_corpus_that_was_cut_short_is_refused(self) -> None:
        self._write(10)
        for suffix in (".bin", ".idx"):
            path = pathlib.Path(f"{self._corpus}{suffix}")
            whole = path.read_bytes()
            for damaged in (whole[:-1], b"", bytes(len(whole))):
                if suffix == ".bin" and damaged and len(damaged) == len(whole):
                    # Any tokens are tokens.
                    continue
                path.write_bytes(damaged)
                with self.assertRaisesRegex(
                    data.DataError, r"corpus \S*text is damaged: its .idx and"
                ):
                    data._check_corpus(self._case, self._corpus)
            path.write_bytes(whole)
        data._check_corpus(self._case, self._corpus)

    def test_a_missing_corpus_is_refused(self) -> None:
        with self.assertRaisesRegex(data.DataError, r"no file .*text\.bin"):
            data._check_corpus(self._case, self._corpus)


class BuildDatasetTest(absltest.TestCase):
    """Through megatron-core's builder, as a process without other ranks."""

    def setUp(self) -> None:
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path)
        self._case = small_corpus_test_helper.case()

    def _write(self, name: str, documents: int = 20) -> pathlib.Path:
        corpus = self._folder / name
        small_corpus_test_helper.write(corpus, documents)
        return corpus

    def _build(self, corpus: pathlib.Path, *found: str) -> _Samples:
        """Builds the data set, asserts what was found, and returns samples.

        Args:
            corpus: The corpus.
            found: What was found of each split; nothing without our cache.
        """
        cache = index_cache.IndexCache(self._folder / "cache", durable.Disk())
        dataset = data.build_dataset(self._case, corpus, cache)
        self.assertEqual(
            [
                (one.split, run_pb2.DataIndex.Cache.Name(one.cache))
                for one in cache.found
            ],
            list(
                zip(
                    ("train", "valid", "test")[: len(found)], found, strict=True
                )
            ),
        )
        self.assertEmpty(cache.notes)
        return small_corpus_test_helper.samples(dataset)

    def _missing(self, corpus: pathlib.Path) -> _Samples:
        return self._build(corpus, "MISSING", "MISSING", "MISSING")

    def _valid(self, corpus: pathlib.Path) -> _Samples:
        return self._build(corpus, "VALID", "VALID", "VALID")

    def test_samples_are_those_of_megatron_cores_own_cache(self) -> None:
        corpus = self._write("text")
        mine = self._missing(corpus)
        # By megatron-core alone: once built, once read from its own cache.
        folder = self._folder / "megatron_cache"

        def config(**fields: Any) -> gpt_dataset.GPTDatasetConfig:
            del fields["indices"]
            fields["path_to_cache"] = str(folder)
            return gpt_dataset.GPTDatasetConfig(**fields)

        with (
            mock.patch.object(data, "_CachedDatasetConfig", config),
            mock.patch.object(data, "_CachedDataset", gpt_dataset.GPTDataset),
        ):
            self.assertEqual(self._build(corpus), mine)
            self.assertEqual(self._build(corpus), mine)
        self.assertLen(list(folder.glob("*.npy")), 9)

    def test_a_cache_gives_the_same_samples(self) -> None:
        corpus = self._write("text")
        self.assertEqual(self._missing(corpus), self._valid(corpus))

    def test_nothing_else_is_written(self) -> None:
        corpus = self._write("text")
        self._missing(corpus)
        self.assertCountEqual(
            [path.name for path in self._folder.iterdir()],
            ["text.bin", "text.idx", "cache"],
        )
        names = sorted(path.name for path in self._folder.glob("cache/*"))
        self.assertLen(names, 3)
        for name, split in zip(names, ("test", "train", "valid"), strict=True):
            self.assertRegex(name, rf"^{split}-[0-9a-f]{{32}}\.index$")

    def test_the_same_corpus_elsewhere_shares_the_cache(self) -> None:
        mine = self._missing(self._write("text"))
        self.assertEqual(self._valid(self._write("copy")), mine)

    def test_another_corpus_at_the_same_path_does_not(self) -> None:
        mine = self._missing(self._write("text", 20))
        other = self._missing(self._write("text", 30))
        self.assertNotEqual(mine, other)

    def test_another_case_does_not(self) -> None:
        corpus = self._write("text")
        self._missing(corpus)
        self._case.training.seed += 1
        self._missing(corpus)
        self._case.model.sequence_length = 4
        self._missing(corpus)

    def test_other_packages_do_not(self) -> None:
        corpus = self._write("text")
        self._missing(corpus)
        with mock.patch.object(megatron.core, "__version__", "0.1"):
            self._missing(corpus)
        with mock.patch.object(numpy, "__version__", "0.1"):
            self._missing(corpus)
        self._valid(corpus)

    def test_no_index_has_more_bytes_than_it_may(self) -> None:
        corpus = self._write("text")
        for iterations in (1, 2, 3, 5, 8, 40):
            self._case.training.iterations = iterations
            cache = index_cache.IndexCache(
                self._folder / "cache", durable.Disk()
            )
            data.build_dataset(self._case, corpus, cache)
            # One with more would be refused.
            self._valid(corpus)


if __name__ == "__main__":
    absltest.main()
