"""The training data: megatron-core's GPTDataset, read in a fixed order."""

import dataclasses
import hashlib
import json
import logging
import pathlib
from collections.abc import Iterator

import megatron.core
import numpy
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
from regress.trainer import hooks, index_cache


class DataError(errors.UserError):
    """The corpus is missing, damaged or too small. One sentence."""


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
        """Becomes part of what a data set's cached index depends on."""
        return {"class": type(self).__qualname__}


@dataclasses.dataclass
class _CachedDatasetConfig(GPTDatasetConfig):  # type: ignore[misc]
    """A data set's configuration, with the cache for its index.

    Attributes:
        indices: The cache.
    """

    indices: index_cache.IndexCache | None = None


class _CachedDataset(GPTDataset):  # type: ignore[misc]
    """A GPTDataset whose index comes from our cache, not from megatron-core's.

    An empty `path_to_cache` lets megatron-core build the index in memory, on
    any rank, and neither read nor write a file. If a later release renamed the
    overridden method, every attempt would build the index, and be right.
    """

    def _build_document_sample_shuffle_indices(self) -> index_cache.Arrays:
        indices: index_cache.IndexCache = self.config.indices
        return indices.get(
            self.index_split.name,
            self._index_description(),
            self._most_index_bytes(),
            super()._build_document_sample_shuffle_indices,
        )

    def _index_description(self) -> index_cache.Description:
        """Returns all that the index depends on.

        megatron-core's own key has the corpus's path, but nothing of its
        content.
        """
        identifiers = json.loads(self.unique_description)
        del identifiers["dataset_path"]
        documents = hashlib.sha256(self.indices.tobytes())
        documents.update(self.dataset.sequence_lengths.tobytes())
        return {
            "data set": identifiers,
            "documents": documents.hexdigest(),
            "megatron-core": megatron.core.__version__,
            "numpy": numpy.__version__,
        }

    def _most_index_bytes(self) -> int:
        """Returns more bytes than any index of this data set has."""
        length: int = self.config.sequence_length
        wanted: int = self.num_samples * length + 1
        tokens = int(self.dataset.sequence_lengths[self.indices].sum())
        epochs = -(-wanted // tokens)
        samples = epochs * tokens // length + 2
        # Per document of an epoch a number; per sample two and one.
        return 8 * (epochs * len(self.indices) + 3 * samples)


def _is_of_interest(record: logging.LogRecord) -> bool:
    """Rejects megatron-core's warning that it has no cache."""
    return not record.getMessage().startswith("Unable to save")


logging.getLogger(GPTDataset.__module__).addFilter(_is_of_interest)


@hooks.BUILD_DATASET
def build_dataset(
    case: case_pb2.Case, corpus: pathlib.Path, cache: index_cache.IndexCache
) -> GPTDataset | None:
    """Builds the training split. Every rank must call this at the same time.

    Args:
        case: The case to train.
        corpus: Path of the .bin and .idx files, without their suffix.
        cache: The cache for the data set's indices.

    Returns:
        The data set on the first and the last stage, the only ones that read
        data; None on the others.

    Raises:
        DataError: The corpus is missing or damaged, or too small for the
            case's split.
    """
    _check_corpus(case, corpus)
    batch = case.training.global_batch_size
    config = _CachedDatasetConfig(
        random_seed=case.training.seed,
        sequence_length=case.model.sequence_length,
        blend=([str(corpus)], None),
        split=case.data.split,
        path_to_cache="",
        indices=cache,
        tokenizer=CorpusTokens(case.model.vocabulary_size),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
    )
    train, _, _ = BlendedMegatronDatasetBuilder(
        _CachedDataset,
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
    try:
        tokens = IndexedDataset(str(corpus))
        # The last sequence, which a file that was cut short lacks.
        tokens.get(len(tokens) - 1)
    except Exception as error:
        # On a damaged file it raises many types of exceptions.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(
            f"The corpus {corpus} is damaged: its .idx and .bin do not fit "
            f"together ({reason}). Build it again."
        ) from error
    # GPTDataset hangs if one of the splits has no document.
    documents = len(tokens.document_indices) - 1
    weights = [float(weight) for weight in case.data.split.split(",")]
    smallest = min(weight for weight in weights if weight > 0)
    needed = -(-sum(weights) // smallest)
    if documents < needed:
        raise DataError(
            f"The corpus {corpus} has {documents} documents; the split "
            f"{case.data.split} needs {needed:.0f} for each part to have one."
        )
