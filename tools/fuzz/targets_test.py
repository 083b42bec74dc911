"""Properties of the readers, for random bytes and for damaged valid ones.

These are the fuzzer's contracts; the fuzzer searches longer.
"""

import json
import random
from typing import Any
from unittest import mock

import hypothesis
from absl.testing import absltest, parameterized
from hypothesis import strategies

from regress.checkpoint import manifest
from tools.fuzz import targets

_NAMES = tuple(targets.BY_NAME)
# Every run tries the same examples, without a database of earlier ones.
_SETTINGS: dict[str, Any] = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "report_multiple_bugs": False,
    "max_examples": 200,
}


@strategies.composite
def _damaged(draw: strategies.DrawFn, valid: bytes) -> bytes:
    """Generates valid bytes with some changed, lost, doubled or added."""
    content = bytearray(valid)
    for _ in range(draw(strategies.integers(1, 4))):
        start = draw(strategies.integers(0, len(content)))
        stop = draw(strategies.integers(start, min(start + 40, len(content))))
        content[start:stop] = draw(
            strategies.one_of(
                strategies.binary(max_size=8),
                strategies.just(bytes(content[start:stop]) * 2),
            )
        )
    return bytes(content)


class ReaderTest(parameterized.TestCase):
    @parameterized.parameters(*_NAMES)
    def test_a_seed_is_read(self, name: str) -> None:
        for seed in targets.BY_NAME[name].seeds():
            targets.BY_NAME[name].read(seed)

    @parameterized.parameters(*_NAMES)
    def test_any_bytes_are_read_or_refused(self, name: str) -> None:
        @hypothesis.settings(**_SETTINGS)
        @hypothesis.given(strategies.binary(max_size=200))
        def read(content: bytes) -> None:
            targets.BY_NAME[name].read(content)

        read()

    @parameterized.parameters(*_NAMES)
    def test_damaged_files_are_read_or_refused(self, name: str) -> None:
        for seed in targets.BY_NAME[name].seeds():

            @hypothesis.settings(**_SETTINGS)
            @hypothesis.given(_damaged(seed))
            def read(content: bytes) -> None:
                targets.BY_NAME[name].read(content)

            read()

    def test_a_reader_that_lets_another_error_out_is_found(self) -> None:
        with (
            mock.patch.object(
                manifest, "_check_keys", lambda fields, keys: fields
            ),
            self.assertRaises((TypeError, KeyError, AttributeError)),
        ):
            self.test_any_json_is_read_or_refused()

    def test_any_json_is_read_or_refused(self) -> None:
        leaves = strategies.one_of(
            strategies.none(),
            strategies.booleans(),
            strategies.integers(-1, 2),
            strategies.text(max_size=4),
        )
        keys = strategies.sampled_from(
            ["version", "iteration", "files", "path", "bytes", "sha256"]
        )
        anything = strategies.recursive(
            leaves,
            lambda inner: strategies.one_of(
                strategies.lists(inner, max_size=3),
                strategies.dictionaries(keys, inner, max_size=4),
            ),
        )

        @hypothesis.settings(**_SETTINGS)
        @hypothesis.given(anything)
        def read(value: object) -> None:
            targets.BY_NAME["manifest"].read(json.dumps(value).encode())

        read()

    def test_one_flipped_bit_of_a_manifest_is_refused_or_changes_it(
        self,
    ) -> None:
        (seed,) = targets.BY_NAME["manifest"].seeds()
        whole = manifest.decode(seed)
        for place in range(len(seed)):
            bit = 1 << random.Random(place).randrange(8)
            flipped = bytearray(seed)
            flipped[place] ^= bit
            try:
                read = manifest.decode(bytes(flipped))
            except manifest.ManifestError:
                continue
            # One kind of white space may become another.
            if seed[place : place + 1].strip():
                self.assertNotEqual(read, whole)


if __name__ == "__main__":
    absltest.main()
