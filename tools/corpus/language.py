"""A synthetic language with something to learn, from a seed.

Each token has a few likely successors, as words do; now and then a common token
follows instead. A model first learns which tokens are common, then which follow
which, so its loss falls. The text is a pure function of its settings: it draws
only from `random.Random.random`, which Python keeps stable.
"""

import dataclasses
import random
from collections.abc import Iterator

_SUCCESSORS = 4
# The chance of the first successor, of the second if not the first, and so on.
_NEXT_SUCCESSOR = 0.55
_LEAVES_THE_CHAIN = 0.1
# Squaring a uniform draw twice makes low tokens common, as in Zipf's law.
_SKEW = 4


@dataclasses.dataclass(frozen=True)
class Language:
    """Settings of a corpus.

    Attributes:
        seed: The seed of the language and the text.
        vocabulary_size: Number of tokens; the last one ends a document.
        documents: Number of documents.
        shortest: Tokens in the shortest document, without its end.
        longest: Tokens in the longest document, without its end.
    """

    seed: int
    vocabulary_size: int
    documents: int
    shortest: int
    longest: int

    def generate(self) -> Iterator[list[int]]:
        """Yields each document's tokens, its end-of-document token last."""
        draw = random.Random(self.seed).random
        words = self.vocabulary_size - 1
        successors = [
            [int(draw() ** _SKEW * words) for _ in range(_SUCCESSORS)]
            for _ in range(words)
        ]
        for _ in range(self.documents):
            length = self.shortest + int(
                draw() * (self.longest - self.shortest + 1)
            )
            token = int(draw() ** _SKEW * words)
            document = [token]
            while len(document) < length:
                if draw() < _LEAVES_THE_CHAIN:
                    token = int(draw() ** _SKEW * words)
                else:
                    choice = 0
                    while choice < _SUCCESSORS - 1 and draw() > _NEXT_SUCCESSOR:
                        choice += 1
                    token = successors[token][choice]
                document.append(token)
            document.append(words)
            yield document
