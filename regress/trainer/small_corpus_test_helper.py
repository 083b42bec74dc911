"""A corpus of a few short documents, and a case that trains on it."""

import pathlib

import torch
from megatron.core.datasets import gpt_dataset, indexed_dataset

from regress.case import case_pb2

# A sample's tokens and labels.
Samples = list[tuple[list[int], list[int]]]


def case() -> case_pb2.Case:
    """Returns the fields of a case that a data set needs."""
    return case_pb2.Case(
        name="small",
        model=case_pb2.Model(sequence_length=8, vocabulary_size=32),
        training=case_pb2.Training(
            iterations=6, global_batch_size=4, seed=1234
        ),
        data=case_pb2.Data(split="8,1,1"),
    )


def write(corpus: pathlib.Path, documents: int = 20) -> None:
    """Writes a corpus.

    Args:
        corpus: Path of the .bin and .idx files, without their suffix.
        documents: The number of documents, which have 3 to 7 tokens.
    """
    builder = indexed_dataset.IndexedDatasetBuilder(f"{corpus}.bin")
    for number in range(documents):
        length = 3 + number % 5
        builder.add_document(torch.arange(length) + number % 20, [length])
    builder.finalize(f"{corpus}.idx")


def samples(dataset: gpt_dataset.GPTDataset | None) -> Samples:
    """Returns all samples of a data set, in order."""
    assert dataset is not None
    every = [dataset[index] for index in range(len(dataset))]
    return [(one["tokens"].tolist(), one["labels"].tolist()) for one in every]
