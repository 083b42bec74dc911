"""What megatron-core's data sets ask a tokenizer for, without one.

A corpus holds tokens already. megatron-core has a tokenizer that does nothing,
too, but importing it imports every tokenizer there is: 3.5 s in an image that
has Hugging Face's.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class CorpusTokens:
    """Stands in for a tokenizer.

    Attributes:
      vocab_size: tokens in the vocabulary.
    """

    vocab_size: int

    @property
    def eod(self) -> int:
        """The end of a document: the vocabulary's last token."""
        return self.vocab_size - 1

    @property
    def unique_identifiers(self) -> dict[str, str]:
        """Goes into the name of a data set's cached indices."""
        return {"class": type(self).__qualname__}
