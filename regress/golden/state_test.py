"""Tests for folding state digests."""

import hashlib

from absl.testing import absltest

from regress.golden import state
from regress.run import run_pb2


def _fold(*entries: tuple[str, str]) -> str:
    return state.fold(
        run_pb2.StateDigest(
            entries=[
                run_pb2.StateEntry(name=name, digest=digest)
                for name, digest in entries
            ]
        )
    )


class FoldTest(absltest.TestCase):
    def test_is_the_digest_of_names_and_digests(self) -> None:
        # A change here makes every golden stale.
        spelled = b"\x01" + bytes(7) + b"a" + b"\x02" + bytes(7) + b"12"
        spelled += b"\x01" + bytes(7) + b"b" + b"\x02" + bytes(7) + b"34"
        self.assertEqual(
            _fold(("a", "12"), ("b", "34")),
            hashlib.sha256(spelled).hexdigest(),
        )

    def test_does_not_depend_on_the_order(self) -> None:
        self.assertEqual(
            _fold(("a", "12"), ("b", "34")), _fold(("b", "34"), ("a", "12"))
        )

    def test_does_not_depend_on_descriptions_moment_and_iteration(self) -> None:
        described = run_pb2.StateDigest(
            moment=run_pb2.StateDigest.LOADED,
            iteration=20,
            entries=[
                run_pb2.StateEntry(name="a", digest="12", description="int 7")
            ],
        )
        self.assertEqual(state.fold(described), _fold(("a", "12")))

    def test_every_other_difference_changes_it(self) -> None:
        folded = [
            _fold(),
            _fold(("a", "12")),
            _fold(("a", "13")),
            _fold(("b", "12")),
            _fold(("a", "12"), ("b", "34")),
            _fold(("a", "34"), ("b", "12")),
            _fold(("a", "12"), ("a", "12")),
            _fold(("a1", "2")),
            _fold(("a", ""), ("12", "")),
        ]
        self.assertLen(set(folded), len(folded))


if __name__ == "__main__":
    absltest.main()
