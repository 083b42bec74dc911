"""Tests for the synthetic language."""

import collections
import itertools
import math

from absl.testing import absltest

from tools.corpus import language

_SMALL = language.Language(
    seed=1, vocabulary_size=64, documents=400, shortest=8, longest=48
)


class LanguageTest(absltest.TestCase):
    def test_same_seed_gives_the_same_text(self) -> None:
        self.assertEqual(list(_SMALL.generate()), list(_SMALL.generate()))

    def test_first_document_never_changes(self) -> None:
        # All goldens were recorded with this text.
        first = next(_SMALL.generate())
        self.assertEqual(first[:8], [2, 30, 0, 32, 9, 31, 0, 0])

    def test_another_seed_gives_another_text(self) -> None:
        other = language.Language(2, 64, 400, 8, 48)
        self.assertNotEqual(list(_SMALL.generate()), list(other.generate()))

    def test_documents_have_the_lengths_asked_for(self) -> None:
        lengths = {len(document) - 1 for document in _SMALL.generate()}
        self.assertEqual((min(lengths), max(lengths)), (8, 48))
        self.assertLen(list(_SMALL.generate()), 400)

    def test_only_the_last_token_ends_a_document(self) -> None:
        for document in _SMALL.generate():
            self.assertEqual(document.index(63), len(document) - 1)

    def test_a_token_tells_much_about_the_next(self) -> None:
        pairs: collections.Counter[tuple[int, int]] = collections.Counter()
        for document in _SMALL.generate():
            pairs.update(itertools.pairwise(document))
        firsts: collections.Counter[int] = collections.Counter()
        for (first, _), count in pairs.items():
            firsts[first] += count
        total = sum(pairs.values())
        conditional = -sum(
            count / total * math.log(count / firsts[first])
            for (first, _), count in pairs.items()
        )
        # Uniform noise would have log(64) = 4.16 nats.
        self.assertLess(conditional, 2.5)


if __name__ == "__main__":
    absltest.main()
