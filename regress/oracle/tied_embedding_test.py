"""Tests of comparing the replicas of a tied embedding."""

from absl.testing import absltest

from regress.oracle import record_test_helper
from regress.run import run_pb2

_Digest = run_pb2.StateDigest
_PARTED = "the tied embedding of rank 0 is not that of rank 3"
_NAMES = {
    0: "chunk 0/{}/embedding.word_embeddings.weight",
    3: "chunk 1/{}/output_layer.weight",
}


_KINDS = ("param", "main param")


def _records(tied: bool = True) -> record_test_helper.Records:
    """Records in which both replicas of the embedding are the same."""
    case = record_test_helper.small_case()
    case.model.tied_embeddings = tied
    records = record_test_helper.passing(case)
    for rank, name in _NAMES.items():
        for attempt, moment in ((0, _Digest.SAVED), (1, _Digest.LOADED)):
            state = records.state(attempt, rank, moment)
            for kind in reversed(_KINDS):
                state.pieces.insert(
                    0,
                    run_pb2.Piece(
                        name=name.format(kind), digest=f"{kind} tied"
                    ),
                )
    records.record_first_save()
    return records


def _replica(
    records: record_test_helper.Records, attempt: int, rank: int, kind: str
) -> run_pb2.Piece:
    moment = _Digest.LOADED if attempt else _Digest.SAVED
    return next(
        piece
        for piece in records.state(attempt, rank, moment).pieces
        if piece.name == _NAMES[rank].format(kind)
    )


class TiedEmbeddingTest(absltest.TestCase):
    def test_says_that_one_replica_is_another(self):
        for rank in (0, 3):
            records = _records()
            _replica(records, 1, rank, "param").digest = "another"
            self.assertIn(f"{_PARTED} (param)", records.judge().summary)

    def test_says_what_kinds_differ(self):
        records = _records()
        for kind in _KINDS:
            _replica(records, 1, 3, kind).digest = "another"
        self.assertIn(f"{_PARTED} (param, main param)", records.judge().summary)

    def test_replicas_that_are_wrong_alike_have_not_parted(self):
        records = _records()
        for rank in (0, 3):
            _replica(records, 1, rank, "param").digest = "another"
        self.assertIn("param (2) on ranks 0, 3", records.judge().summary)
        self.assertNotIn(_PARTED, records.judge().summary)

    def test_replicas_that_had_parted_before_are_no_news(self):
        records = _records()
        _replica(records, 0, 0, "param").digest = "before"
        records.record_first_save()
        _replica(records, 1, 0, "param").digest = "after"
        self.assertNotIn(_PARTED, records.judge().summary)

    def test_a_replica_that_was_not_loaded_has_not_parted(self):
        records = _records()
        loaded = records.state(1, 3, _Digest.LOADED)
        loaded.pieces.remove(_replica(records, 1, 3, "param"))
        summary = records.judge().summary
        self.assertIn("param (1) on rank 3", summary)
        self.assertNotIn(_PARTED, summary)

    def test_a_replica_of_a_rank_that_is_not_there_has_not_parted(self):
        for attempt in (0, 1):
            for rank in (0, -1):
                records = _records()
                del records.run.attempts[attempt].ranks[rank]
                self.assertNotIn(_PARTED, records.judge().summary)

    def test_embeddings_that_are_not_tied_may_differ(self):
        records = _records(tied=False)
        _replica(records, 1, 0, "param").digest = "another"
        self.assertIn("param (1) on rank 0", records.judge().summary)
        self.assertNotIn(_PARTED, records.judge().summary)


if __name__ == "__main__":
    absltest.main()
