"""Writes a synthetic corpus as megatron-core's .bin and .idx files."""

import pathlib
from collections.abc import Sequence

import numpy
import torch
from absl import app, flags

from regress.trainer import no_compile
from tools.corpus import language

_BIN = flags.DEFINE_string("bin", None, "The .bin file.", required=True)
_IDX = flags.DEFINE_string("idx", None, "The .idx file.", required=True)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the language and the text.")
_VOCABULARY_SIZE = flags.DEFINE_integer(
    "vocabulary_size", 0, "Number of tokens; the last one ends a document."
)
_DOCUMENTS = flags.DEFINE_integer("documents", 0, "Number of documents.")
_SHORTEST = flags.DEFINE_integer(
    "shortest", 0, "Tokens in the shortest document."
)
_LONGEST = flags.DEFINE_integer("longest", 0, "Tokens in the longest document.")


def build(
    settings: language.Language, bin_path: pathlib.Path, idx_path: pathlib.Path
) -> None:
    """Writes the corpus.

    Args:
        settings: What to write.
        bin_path: The file for the tokens, as uint16.
        idx_path: The file for the documents' offsets in it.
    """
    # megatron-core would import the compiler, for longer than this writes.
    no_compile.apply()
    from megatron.core.datasets import indexed_dataset

    builder = indexed_dataset.IndexedDatasetBuilder(
        str(bin_path), dtype=numpy.uint16
    )
    for document in settings.generate():
        builder.add_document(
            torch.tensor(document, dtype=torch.int64), [len(document)]
        )
    builder.finalize(str(idx_path))


def main(argv: Sequence[str]) -> None:
    """Builds the corpus that the flags describe."""
    del argv
    build(
        language.Language(
            seed=_SEED.value,
            vocabulary_size=_VOCABULARY_SIZE.value,
            documents=_DOCUMENTS.value,
            shortest=_SHORTEST.value,
            longest=_LONGEST.value,
        ),
        pathlib.Path(_BIN.value),
        pathlib.Path(_IDX.value),
    )


if __name__ == "__main__":
    app.run(main)
