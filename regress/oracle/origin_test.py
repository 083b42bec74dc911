"""Tests of finding out where a wrong state comes from."""

from absl.testing import absltest, parameterized

from regress.oracle import evidence, origin, record_test_helper, verdict_pb2
from regress.run import run_pb2

_Digest = run_pb2.StateDigest
# The iteration of the newest whole checkpoint of the small case.
_SAVED = 3


def _records() -> record_test_helper.Records:
    """Records of a case that is interrupted after its second save."""
    return record_test_helper.passing(
        record_test_helper.small_case(iteration=8, iterations=9)
    )


def _load(
    records: record_test_helper.Records, rank: int, state: run_pb2.StateDigest
) -> None:
    """Makes a rank of attempt 1 load the pieces of a state."""
    loaded = records.state(1, rank, _Digest.LOADED)
    del loaded.pieces[:]
    loaded.pieces.extend(state.pieces)


def _digest(rank: int, iteration: int) -> run_pb2.StateDigest:
    return record_test_helper.digest(rank, iteration, _Digest.LOADED)


def _summary(records: record_test_helper.Records) -> str:
    verdict = records.judge()
    assert verdict.conclusion == verdict_pb2.Verdict.RESUME_DIVERGENCE
    return verdict.summary


class OriginTest(parameterized.TestCase):
    @parameterized.parameters((1, 0), (0, 3), (2, 1))
    def test_names_the_rank_whose_state_was_loaded(self, rank, other):
        records = record_test_helper.passing()
        _load(records, rank, _digest(other, _SAVED))
        self.assertIn(
            f"; what rank {rank} loaded is what rank {other} saved.",
            _summary(records),
        )
        self.assertEqual(
            records.judge().findings[0].explanation,
            f"Where it differs, what rank {rank} loaded is what rank {other} "
            "saved.",
        )

    def test_names_the_iteration_whose_state_was_loaded(self):
        records = _records()
        _load(records, 2, _digest(2, 3))
        self.assertIn(
            "; what rank 2 loaded is of iteration 3.", _summary(records)
        )

    def test_names_all_ranks_that_loaded_the_same_wrong_state(self):
        records = record_test_helper.passing()
        for rank in (1, 2, 3):
            # Only the random stream.
            loaded = records.state(1, rank, _Digest.LOADED).pieces[6]
            loaded.digest = _digest(0, _SAVED).pieces[6].digest
        self.assertIn(
            "of 28 pieces of loaded state 3 differ: rng (3) on ranks 1, 2, 3; "
            "what ranks 1, 2, 3 loaded is what rank 0 saved.",
            _summary(records),
        )

    def test_names_both_ranks_whose_states_were_exchanged(self):
        records = record_test_helper.passing()
        _load(records, 1, _digest(2, _SAVED))
        _load(records, 2, _digest(1, _SAVED))
        self.assertIn(
            "what rank 1 loaded is what rank 2 saved; what rank 2 loaded is "
            "what rank 1 saved",
            _summary(records),
        )

    def test_names_the_chunks_that_were_exchanged(self):
        records = record_test_helper.passing()
        loaded = records.state(1, 2, _Digest.LOADED)
        first, second = loaded.pieces[2], loaded.pieces[3]
        self.assertEqual(first.name, "chunk 0/exp_avg/weight")
        self.assertEqual(second.name, "chunk 1/exp_avg/weight")
        first.digest, second.digest = second.digest, first.digest
        self.assertIn(
            "; on rank 2 chunk 0 holds what chunk 1 saved, chunk 1 holds what "
            "chunk 0 saved.",
            _summary(records),
        )
        self.assertEqual(
            records.judge().findings[0].explanation,
            "On rank 2 chunk 0 holds what chunk 1 saved, chunk 1 holds what "
            "chunk 0 saved.",
        )

    def test_names_the_first_of_chunks_that_saved_the_same(self):
        records = record_test_helper.passing()
        saved = records.state(0, 2, _Digest.SAVED)
        loaded = records.state(1, 2, _Digest.LOADED)
        for state in (saved, loaded):
            state.pieces.add(
                name="chunk 2/exp_avg/weight", digest=saved.pieces[3].digest
            )
        loaded.pieces[2].digest = saved.pieces[3].digest
        records.record_first_save()
        self.assertIn(
            "; on rank 2 chunk 0 holds what chunk 1 saved.", _summary(records)
        )

    def test_says_one_thing_of_a_rank(self):
        records = record_test_helper.passing()
        # What both chunk 1 and rank 0 saved.
        records.state(0, 0, _Digest.SAVED).pieces[2].digest = "x"
        records.state(1, 0, _Digest.LOADED).pieces[2].digest = "x"
        records.state(0, 1, _Digest.SAVED).pieces[3].digest = "x"
        for place in (2, 3):
            records.state(1, 1, _Digest.LOADED).pieces[place].digest = "x"
        records.record_first_save()
        self.assertIn(
            "exp_avg (1) on rank 1; what rank 1 loaded is what rank 0 saved.",
            _summary(records),
        )

    def test_a_source_that_lacks_some_pieces_may_explain_the_others(self):
        records = record_test_helper.passing()
        _load(records, 1, _digest(0, _SAVED))
        # A stage without an embedding has more of others' pieces than it needs.
        saved = records.state(0, 0, _Digest.SAVED)
        for piece in list(saved.pieces)[4:]:
            saved.pieces.remove(piece)
        _load(records, 0, saved)
        records.record_first_save()
        self.assertIn(
            "what rank 1 loaded is what rank 0 saved", _summary(records)
        )

    def test_a_source_that_lacks_half_of_the_pieces_may_explain_them(self):
        records = record_test_helper.passing()
        loaded = records.state(1, 1, _Digest.LOADED)
        for place in (4, 6):
            loaded.pieces[place].digest = (
                _digest(0, _SAVED).pieces[place].digest
            )
        del records.state(0, 0, _Digest.SAVED).pieces[6]
        del records.state(1, 0, _Digest.LOADED).pieces[6]
        records.record_first_save()
        self.assertIn(
            "what rank 1 loaded is what rank 0 saved", _summary(records)
        )

    def test_a_source_that_lacks_most_pieces_explains_nothing(self):
        records = record_test_helper.passing()
        _load(records, 1, _digest(0, _SAVED))
        saved = records.state(0, 0, _Digest.SAVED)
        for piece in list(saved.pieces)[3:]:
            saved.pieces.remove(piece)
        _load(records, 0, saved)
        records.record_first_save()
        self.assertNotIn("what rank 1 loaded is", _summary(records))

    def test_says_nothing_of_a_state_that_nobody_saved(self):
        records = record_test_helper.passing()
        _load(records, 1, _digest(0, _SAVED))
        records.state(1, 1, _Digest.LOADED).pieces[0].digest = "none's"
        self.assertNotIn("what rank 1 loaded is", _summary(records))
        self.assertEqual(records.judge().findings[0].explanation, "")
        facts = evidence.gather(
            records.case,
            records.run,
            records.golden,
            record_test_helper.PROMISE,
        )
        self.assertEqual(origin.of_loaded(facts, 1, _SAVED), "")

    def test_says_nothing_of_pieces_that_were_not_loaded(self):
        records = record_test_helper.passing()
        del records.state(1, 1, _Digest.LOADED).pieces[1:]
        self.assertIn(
            "differ: scheduler (1) on rank 1; param group (1) on rank 1; main "
            "param (1) on rank 1; exp_avg (2) on rank 1; rng (1) on rank 1.",
            _summary(records),
        )


if __name__ == "__main__":
    absltest.main()
