"""Tests for finding out where a wrongly loaded state comes from."""

from absl.testing import absltest, parameterized

from regress.oracle import (
    observations,
    record_test_helper,
    restore_diagnosis,
    verdict_pb2,
)
from regress.report import summary, wording
from regress.run import run_pb2

_Digest = run_pb2.StateDigest

# The iteration of the newest whole checkpoint of the small case.
_SAVED = 3

_PARTED = "the tied embedding of rank 0 is not that of rank 3"
_NAMES = {
    0: "chunk 0/{}/embedding.word_embeddings.weight",
    3: "chunk 1/{}/output_layer.weight",
}
_KINDS = ("param", "main param")


def _records() -> record_test_helper.Records:
    """Returns records of a case that is interrupted after its second save."""
    return record_test_helper.passing(
        record_test_helper.small_case(iteration=8, iterations=9)
    )


def _load(
    records: record_test_helper.Records, rank: int, state: run_pb2.StateDigest
) -> None:
    """Makes a rank of attempt 1 load the entries of a state."""
    loaded = records.state(1, rank, _Digest.LOADED)
    del loaded.entries[:]
    loaded.entries.extend(state.entries)


def _digest(rank: int, iteration: int) -> run_pb2.StateDigest:
    return record_test_helper.digest(rank, iteration, _Digest.LOADED)


def _summary(records: record_test_helper.Records) -> str:
    verdict = records.judge()
    assert verdict.conclusion == verdict_pb2.Verdict.RESUME_DIVERGENCE
    return summary.summarize(verdict)


class LoadedFromTest(parameterized.TestCase):
    @parameterized.parameters((1, 0), (0, 3), (2, 1))
    def test_names_the_rank_whose_state_was_loaded(self, rank, other):
        records = record_test_helper.passing()
        _load(records, rank, _digest(other, _SAVED))
        self.assertIn(
            f"; what rank {rank} loaded is what rank {other} saved.",
            _summary(records),
        )
        self.assertEqual(
            wording.explanation(records.judge().findings[0]),
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
            # Only the random stream is wrong.
            loaded = records.state(1, rank, _Digest.LOADED).entries[6]
            loaded.digest = _digest(0, _SAVED).entries[6].digest
        self.assertIn(
            "of 28 loaded state entries 3 differ: rng (3) on ranks 1, 2, 3; "
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
        first, second = loaded.entries[2], loaded.entries[3]
        self.assertEqual(first.name, "chunk 0/exp_avg/weight")
        self.assertEqual(second.name, "chunk 1/exp_avg/weight")
        first.digest, second.digest = second.digest, first.digest
        self.assertIn(
            "; on rank 2 chunk 0 holds what chunk 1 saved, chunk 1 holds what "
            "chunk 0 saved.",
            _summary(records),
        )
        self.assertEqual(
            wording.explanation(records.judge().findings[0]),
            "On rank 2 chunk 0 holds what chunk 1 saved, chunk 1 holds what "
            "chunk 0 saved.",
        )

    def test_names_the_first_of_chunks_that_saved_the_same(self):
        records = record_test_helper.passing()
        saved = records.state(0, 2, _Digest.SAVED)
        loaded = records.state(1, 2, _Digest.LOADED)
        for state in (saved, loaded):
            state.entries.add(
                name="chunk 2/exp_avg/weight", digest=saved.entries[3].digest
            )
        loaded.entries[2].digest = saved.entries[3].digest
        records.record_first_save()
        self.assertIn(
            "; on rank 2 chunk 0 holds what chunk 1 saved.", _summary(records)
        )

    def test_says_one_thing_of_a_rank(self):
        records = record_test_helper.passing()
        # Both rank 1's chunk 1 and rank 0 saved what rank 1 loads.
        records.state(0, 0, _Digest.SAVED).entries[2].digest = "x"
        records.state(1, 0, _Digest.LOADED).entries[2].digest = "x"
        records.state(0, 1, _Digest.SAVED).entries[3].digest = "x"
        for place in (2, 3):
            records.state(1, 1, _Digest.LOADED).entries[place].digest = "x"
        records.record_first_save()
        self.assertIn(
            "exp_avg (1) on rank 1; what rank 1 loaded is what rank 0 saved.",
            _summary(records),
        )

    def test_a_source_that_lacks_some_entries_may_explain_the_others(self):
        records = record_test_helper.passing()
        _load(records, 1, _digest(0, _SAVED))
        # Rank 0 saved fewer entries than rank 1 loads; stages may differ so.
        saved = records.state(0, 0, _Digest.SAVED)
        for entry in list(saved.entries)[4:]:
            saved.entries.remove(entry)
        _load(records, 0, saved)
        records.record_first_save()
        self.assertIn(
            "what rank 1 loaded is what rank 0 saved", _summary(records)
        )

    def test_a_source_that_lacks_half_of_the_entries_may_explain_them(self):
        records = record_test_helper.passing()
        loaded = records.state(1, 1, _Digest.LOADED)
        for place in (4, 6):
            loaded.entries[place].digest = (
                _digest(0, _SAVED).entries[place].digest
            )
        del records.state(0, 0, _Digest.SAVED).entries[6]
        del records.state(1, 0, _Digest.LOADED).entries[6]
        records.record_first_save()
        self.assertIn(
            "what rank 1 loaded is what rank 0 saved", _summary(records)
        )

    def test_a_source_that_lacks_most_entries_explains_nothing(self):
        records = record_test_helper.passing()
        _load(records, 1, _digest(0, _SAVED))
        saved = records.state(0, 0, _Digest.SAVED)
        for entry in list(saved.entries)[3:]:
            saved.entries.remove(entry)
        _load(records, 0, saved)
        records.record_first_save()
        self.assertNotIn("what rank 1 loaded is", _summary(records))

    def test_says_nothing_of_a_state_that_nobody_saved(self):
        records = record_test_helper.passing()
        _load(records, 1, _digest(0, _SAVED))
        records.state(1, 1, _Digest.LOADED).entries[0].digest = "none's"
        self.assertNotIn("what rank 1 loaded is", _summary(records))
        self.assertEqual(wording.explanation(records.judge().findings[0]), "")
        observed = observations.gather(
            records.case,
            records.run,
            records.golden,
            record_test_helper.TARGET,
        )
        self.assertIsNone(
            restore_diagnosis.origin(observed.load(1), observed.ranks, 1)
        )

    def test_says_nothing_of_entries_that_were_not_loaded(self):
        records = record_test_helper.passing()
        del records.state(1, 1, _Digest.LOADED).entries[1:]
        self.assertIn(
            "differ: scheduler (1) on rank 1; param group (1) on rank 1; main "
            "param (1) on rank 1; exp_avg (2) on rank 1; rng (1) on rank 1.",
            _summary(records),
        )


def _tied_records(tied: bool = True) -> record_test_helper.Records:
    """Returns records in which both replicas of the embedding are the same."""
    case = record_test_helper.small_case()
    case.model.tied_embeddings = tied
    records = record_test_helper.passing(case)
    for rank, name in _NAMES.items():
        for attempt, moment in ((0, _Digest.SAVED), (1, _Digest.LOADED)):
            state = records.state(attempt, rank, moment)
            for kind in reversed(_KINDS):
                state.entries.insert(
                    0,
                    run_pb2.StateEntry(
                        name=name.format(kind), digest=f"{kind} tied"
                    ),
                )
    records.record_first_save()
    return records


def _replica(
    records: record_test_helper.Records, attempt: int, rank: int, kind: str
) -> run_pb2.StateEntry:
    moment = _Digest.LOADED if attempt else _Digest.SAVED
    return next(
        entry
        for entry in records.state(attempt, rank, moment).entries
        if entry.name == _NAMES[rank].format(kind)
    )


class TiedEmbeddingTest(absltest.TestCase):
    def test_says_that_one_replica_is_another(self):
        for rank in (0, 3):
            records = _tied_records()
            _replica(records, 1, rank, "param").digest = "another"
            self.assertIn(
                f"{_PARTED} (param)", summary.summarize(records.judge())
            )

    def test_says_what_kinds_differ(self):
        records = _tied_records()
        for kind in _KINDS:
            _replica(records, 1, 3, kind).digest = "another"
        self.assertIn(
            f"{_PARTED} (param, main param)", summary.summarize(records.judge())
        )

    def test_replicas_that_are_wrong_alike_have_not_parted(self):
        records = _tied_records()
        for rank in (0, 3):
            _replica(records, 1, rank, "param").digest = "another"
        self.assertIn(
            "param (2) on ranks 0, 3", summary.summarize(records.judge())
        )
        self.assertNotIn(_PARTED, summary.summarize(records.judge()))

    def test_replicas_that_had_parted_before_are_no_news(self):
        records = _tied_records()
        _replica(records, 0, 0, "param").digest = "before"
        records.record_first_save()
        _replica(records, 1, 0, "param").digest = "after"
        self.assertNotIn(_PARTED, summary.summarize(records.judge()))

    def test_a_replica_that_was_not_loaded_has_not_parted(self):
        records = _tied_records()
        loaded = records.state(1, 3, _Digest.LOADED)
        loaded.entries.remove(_replica(records, 1, 3, "param"))
        said = summary.summarize(records.judge())
        self.assertIn("param (1) on rank 3", said)
        self.assertNotIn(_PARTED, said)

    def test_a_replica_of_a_rank_that_is_not_there_has_not_parted(self):
        for attempt in (0, 1):
            for rank in (0, -1):
                records = _tied_records()
                del records.run.attempts[attempt].ranks[rank]
                self.assertNotIn(_PARTED, summary.summarize(records.judge()))

    def test_embeddings_that_are_not_tied_may_differ(self):
        records = _tied_records(tied=False)
        _replica(records, 1, 0, "param").digest = "another"
        self.assertIn("param (1) on rank 0", summary.summarize(records.judge()))
        self.assertNotIn(_PARTED, summary.summarize(records.judge()))


if __name__ == "__main__":
    absltest.main()
