"""Tests of how far a rank got."""

from absl.testing import absltest, parameterized

from regress.oracle import evidence, record_test_helper, whereabouts
from regress.run import run_pb2

_Checkpoint = run_pb2.CheckpointEvent


def _of(
    records: record_test_helper.Records, attempt: int, rank: int
) -> whereabouts.Whereabouts:
    facts = evidence.gather(
        records.case, records.run, records.golden, record_test_helper.PROMISE
    )
    return whereabouts.of(facts, attempt, rank)


def _keep(
    records: record_test_helper.Records, attempt: int, rank: int, count: int
) -> None:
    """Keeps a rank's first events."""
    del records.rank(attempt, rank).events[count:]


class WhereaboutsTest(parameterized.TestCase):
    @parameterized.parameters(
        # Of attempt 1: start, span, load, state, step 4, step 5, step 6, state,
        # save, step 7, step 8, end.
        (0, "before it reported its start", 4),
        (2, "while it loaded the checkpoint of iteration 3", 4),
        (3, "before it completed iteration 4", 4),
        (5, "in iteration 5", 5),
        (7, "while it saved the checkpoint of iteration 6", 7),
        (8, "while it saved the checkpoint of iteration 6", 7),
        (9, "in iteration 7", 7),
        (11, "after the last iteration, 8", 9),
    )
    def test_says_what_a_resumed_rank_did(self, events, during, iteration):
        records = record_test_helper.passing()
        _keep(records, 1, 2, events)
        where = _of(records, 1, 2)
        self.assertEqual((where.during, where.iteration), (during, iteration))
        # A span is no news.
        self.assertEqual(where.events, max(events - 1, 0))

    @parameterized.parameters(
        (2, "while it looked for a checkpoint", 1),
        (3, "before it completed iteration 1", 1),
        (4, "in iteration 2", 2),
    )
    def test_says_what_a_rank_did_before(self, events, during, iteration):
        records = record_test_helper.passing()
        _keep(records, 0, 0, events)
        where = _of(records, 0, 0)
        self.assertEqual((where.during, where.iteration), (during, iteration))

    def test_says_what_it_had_done(self):
        records = record_test_helper.passing()
        self.assertEqual(_of(records, 1, 0).after, "after iteration 8")
        _keep(records, 1, 0, 2)
        where = _of(records, 1, 0)
        self.assertEqual(where.after, where.during)

    def test_a_rank_that_is_not_in_the_record_did_nothing(self):
        records = record_test_helper.passing()
        del records.run.attempts[1].ranks[3]
        where = _of(records, 1, 3)
        self.assertEqual(where.during, "before it reported its start")
        self.assertEqual(where.events, 0)


if __name__ == "__main__":
    absltest.main()
