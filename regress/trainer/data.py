"""The training data: megatron-core's GPTDataset, read in a fixed order."""

import dataclasses
import pathlib
from collections.abc import Iterator

import torch
from megatron.core import parallel_state
from megatron.core.datasets.blended_megatron_dataset_builder import (
    BlendedMegatronDatasetBuilder,
)
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from megatron.core.datasets.indexed_dataset import IndexedDataset

from regress import errors
from regress.case import case_pb2
from regress.trainer import digest as digest_lib
from regress.trainer import hooks


class DataError(errors.UserError):
    """The corpus is missing or too small for the case. One sentence."""


@dataclasses.dataclass(frozen=True)
class Microbatch:
    """Samples for one forward pass.

    Attributes:
        tensors: Tensors by name, each [micro_batch_size, sequence_length].
        digest: Digest of the tensors; see digest.digest_batch.
    """

    tensors: dict[str, torch.Tensor]
    digest: bytes


@dataclasses.dataclass(frozen=True)
class CorpusTokens:
    """Stands in for the tokenizer that megatron-core's data sets expect.

    A corpus is already tokenized. megatron-core has a null tokenizer, too, but
    importing it imports every tokenizer there is, which takes 3.5 s in an
    image that has Hugging Face's.

    Attributes:
        vocab_size: Number of tokens in the vocabulary.
    """

    vocab_size: int

    @property
    def eod(self) -> int:
        """The end-of-document token: the last one of the vocabulary."""
        return self.vocab_size - 1

    @property
    def unique_identifiers(self) -> dict[str, str]:
        """Becomes part of the name of a data set's cached indices."""
        return {"class": type(self).__qualname__}


@hooks.BUILD_DATASET
def build_dataset(
    case: case_pb2.Case, corpus: pathlib.Path, cache: pathlib.Path
) -> GPTDataset | None:
    """Builds the training split. Every rank must call this at the same time.

    Args:
        case: The case to train.
        corpus: Path of the .bin and .idx files, without their suffix.
        cache: Directory for the data set's cached indices.

    Returns:
        The data set on the first and the last stage, the only ones that read
        data; None on the others.

    Raises:
        DataError: The corpus is missing, or too small for the case's split.
    """
    _check_corpus(case, corpus)
    batch = case.training.global_batch_size
    config = GPTDatasetConfig(
        random_seed=case.training.seed,
        sequence_length=case.model.sequence_length,
        blend=([str(corpus)], None),
        split=case.data.split,
        path_to_cache=str(cache),
        tokenizer=CorpusTokens(case.model.vocabulary_size),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
    )
    train, _, _ = BlendedMegatronDatasetBuilder(
        GPTDataset,
        [case.training.iterations * batch, batch, batch],
        needs_data,
        config,
    ).build()
    return train


def needs_data() -> bool:
    """Whether this rank holds the first or the last stage of the pipeline."""
    first = parallel_state.is_pipeline_first_stage(ignore_virtual=True)
    last = parallel_state.is_pipeline_last_stage(ignore_virtual=True)
    return bool(first or last)


@hooks.READ_MICROBATCHES
def microbatches(
    dataset: GPTDataset,
    consumed_samples: int,
    micro_batch_size: int,
    device: torch.device,
) -> Iterator[Microbatch]:
    """Yields microbatches in the data set's order, after the consumed samples.

    The order depends only on the number of consumed samples and no random
    generator is used, so there is no state to save.

    Args:
        dataset: The training split.
        consumed_samples: Number of samples trained on so far.
        micro_batch_size: Samples per microbatch.
        device: Device for the tensors.

    Yields:
        Microbatches, endlessly.
    """
    while True:
        samples = [
            dataset[index]
            for index in range(
                consumed_samples, consumed_samples + micro_batch_size
            )
        ]
        consumed_samples += micro_batch_size
        tensors = {
            key: torch.stack([sample[key] for sample in samples])
            for key in samples[0]
        }
        yield Microbatch(
            {
                key: tensor.to(device, non_blocking=True)
                for key, tensor in tensors.items()
            },
            digest_lib.digest_batch(tensors),
        )


def _check_corpus(case: case_pb2.Case, corpus: pathlib.Path) -> None:
    for suffix in (".bin", ".idx"):
        if not corpus.with_name(corpus.name + suffix).is_file():
            raise DataError(
                f"The corpus has no file {corpus}{suffix}; case "
                f"'{case.name}' names it in data.corpus. Add the corpus's "
                "target to the resume_test."
            )
    # GPTDataset hangs if one of the splits has no document.
    documents = len(IndexedDataset(str(corpus)).document_indices) - 1
    weights = [float(weight) for weight in case.data.split.split(",")]
    smallest = min(weight for weight in weights if weight > 0)
    needed = -(-sum(weights) // smallest)
    if documents < needed:
        raise DataError(
            f"The corpus {corpus} has {documents} documents; the split "
            f"{case.data.split} needs {needed:.0f} for each part to have one."
        )
