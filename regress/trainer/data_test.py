"""Tests for the order of the data."""

import itertools
import pathlib

import numpy
import torch
from absl.testing import absltest
from megatron.core.datasets import indexed_dataset

from regress.case import case_pb2
from regress.trainer import data

_CPU = torch.device("cpu")


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

    def test_a_missing_corpus_is_refused(self) -> None:
        with self.assertRaisesRegex(data.DataError, r"no file .*text\.bin"):
            data._check_corpus(self._case, self._corpus)


if __name__ == "__main__":
    absltest.main()
