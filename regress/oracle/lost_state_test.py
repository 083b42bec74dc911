"""Tests for how state was lost, and of the clause that says so."""

import types
from collections.abc import Callable, Mapping, Sequence

from absl.testing import absltest, parameterized

from regress.oracle import record_test_helper, verdict_pb2
from regress.report import summary
from regress.run import run_pb2

_Digest = run_pb2.StateDigest
_RANKS = range(record_test_helper.RANKS)
_NAMES = ("weight", "bias", "norm")
# Chunk 1 has one less, so that its entries are not mistaken for chunk 0's.
_NAMES_OF_CHUNK = {0: _NAMES, 1: _NAMES[:2]}

type _Lose = Callable[[run_pb2.StateDigest], None]


def _absent(*kinds: str, chunk: str = "") -> _Lose:
    def lose(state: run_pb2.StateDigest) -> None:
        kept = [one for one in state.entries if not _is(one, kinds, chunk)]
        del state.entries[:]
        state.entries.extend(kept)

    return lose


def _zeros(
    *kinds: str, chunk: str = "", names: Sequence[str] = _NAMES
) -> _Lose:
    def lose(state: run_pb2.StateDigest) -> None:
        for one in state.entries:
            if _is(one, kinds, chunk) and one.name.endswith(tuple(names)):
                one.digest = "zeros"
                if "/step/" in one.name:
                    one.description = "0.0"

    return lose


def _other(
    *kinds: str, chunk: str = "", names: Sequence[str] = _NAMES
) -> _Lose:
    def lose(state: run_pb2.StateDigest) -> None:
        for one in state.entries:
            if _is(one, kinds, chunk) and one.name.endswith(tuple(names)):
                one.digest += " changed"

    return lose


def _is(one: run_pb2.StateEntry, kinds: Sequence[str], chunk: str = "") -> bool:
    return one.name.startswith(f"chunk {chunk}") and any(
        f"/{kind}/" in one.name for kind in kinds
    )


def _verdict(
    lose: _Lose,
    ranks: Sequence[int] = _RANKS,
    names_of_chunk: Mapping[int, Sequence[str]] = types.MappingProxyType(
        _NAMES_OF_CHUNK
    ),
) -> verdict_pb2.Verdict:
    """Judges a load that lost something on some ranks."""
    records = record_test_helper.passing()
    for rank in _RANKS:
        saved = records.state(0, rank, _Digest.SAVED)
        del saved.entries[:]
        saved.entries.add(name="iteration", digest="3", description="3")
        for chunk, names in names_of_chunk.items():
            for kind in (
                "param",
                "main param",
                "step",
                "exp_avg",
                "exp_avg_sq",
            ):
                for name in names:
                    step = kind == "step"
                    where = f"chunk {chunk}/{kind}/{name}"
                    saved.entries.add(
                        name=where,
                        digest="four" if step else f"{rank} {where}",
                        description="4.0" if step else "float32[8]",
                    )
        loaded = records.state(1, rank, _Digest.LOADED)
        del loaded.entries[:]
        loaded.entries.extend(saved.entries)
        if rank in ranks:
            lose(loaded)
    records.record_first_save()
    return records.judge()


class LostStateTest(parameterized.TestCase):
    @parameterized.parameters(
        (
            _absent("step", "exp_avg", "exp_avg_sq"),
            "the optimizer's state was not loaded on any rank (absent after "
            "the load)",
        ),
        (
            _zeros("step", "exp_avg", "exp_avg_sq"),
            "the optimizer's state was not loaded on any rank (as in a new "
            "optimizer)",
        ),
        (
            _zeros("exp_avg"),
            "the first moments (exp_avg) were not loaded on any rank (as in a "
            "new optimizer)",
        ),
        (
            _zeros("step"),
            "the step counts were not loaded on any rank (as in a new "
            "optimizer)",
        ),
        (
            _absent("exp_avg", "exp_avg_sq", chunk="1"),
            "the moments of chunk 1 were not loaded on any rank (absent after "
            "the load)",
        ),
        (
            _other("param"),
            "all 20 weights on all ranks differ from what was saved",
        ),
        (
            _other("param", names=["weight", "bias"]),
            "16 of 20 weights on all ranks differ from what was saved",
        ),
        (
            _other("main param", chunk="0"),
            "all 12 main params of chunk 0 on all ranks differ from what was "
            "saved",
        ),
    )
    def test_says_what_was_lost(self, lose: _Lose, clause: str) -> None:
        verdict = _verdict(lose)
        self.assertIn(f"; {clause}; of ", summary.summarize(verdict))

    def test_names_the_ranks(self) -> None:
        said = summary.summarize(_verdict(_other("param"), ranks=[0, 2]))
        self.assertIn("; all 10 weights on ranks 0, 2 differ from", said)

    def test_what_else_is_wrong_does_not_hide_the_optimizer(self) -> None:
        def lose(state: run_pb2.StateDigest) -> None:
            _absent("step", "exp_avg", "exp_avg_sq")(state)
            state.entries[0].digest = "9"

        said = summary.summarize(_verdict(lose))
        self.assertIn("; the optimizer's state was not loaded", said)

    @parameterized.parameters(
        # Moments of which some are left are not lost.
        _other("step", "exp_avg"),
        _absent("param", "step"),
    )
    def test_otherwise_the_first_finding_is_told(self, lose: _Lose) -> None:
        said = summary.summarize(_verdict(lose))
        self.assertIn(
            " of attempt 1 on ranks 0, 1, 2, 3 at iteration 3: ", said
        )

    def test_a_single_entry_is_named(self) -> None:
        verdict = _verdict(_other("param", chunk="0", names=["bias"]))
        self.assertIn(
            "; chunk 0/param/bias of attempt 1 on ranks 0, 1, 2, 3 at ",
            summary.summarize(verdict),
        )

    def test_two_moments_that_became_alike_are_reset(self) -> None:
        one_of_each_chunk = _zeros("exp_avg", names=["weight"])
        self.assertTrue(
            self._kind("exp_avg", _verdict(one_of_each_chunk)).reset
        )

    def test_one_moment_alone_is_not_alike(self) -> None:
        one = _zeros("exp_avg", chunk="0", names=["weight"])
        self.assertFalse(self._kind("exp_avg", _verdict(one)).reset)

    def test_a_chunk_is_named_only_if_there_are_others(self) -> None:
        of_two = self._kind("param", _verdict(_other("param", chunk="0")))
        self.assertEqual((of_two.chunk, of_two.entries_of_chunk), (0, 3))
        alone = self._kind(
            "param", _verdict(_other("param"), names_of_chunk={0: _NAMES})
        )
        self.assertFalse(alone.HasField("chunk"))
        self.assertEqual(alone.entries_of_chunk, 0)

    def _kind(
        self, name: str, verdict: verdict_pb2.Verdict
    ) -> verdict_pb2.RestoredKind:
        return next(
            one
            for one in verdict.restored_state.kinds
            if (one.kind, one.rank) == (name, 0)
        )

    def test_moments_that_differ_from_one_another_are_not_reset(self) -> None:
        self.assertNotIn(
            "not loaded", summary.summarize(_verdict(_other("exp_avg")))
        )


if __name__ == "__main__":
    absltest.main()
