"""Tests of how the evidence is indexed."""

from absl.testing import absltest

from regress.golden import golden_pb2
from regress.oracle import evidence, record_test_helper
from regress.run import run_pb2

_NO_ATTEMPT = evidence.Attempt(run_pb2.Attempt(), [], {}, {})


def _gather(records: record_test_helper.Records) -> evidence.Evidence:
    return evidence.gather(
        records.case, records.run, records.golden, record_test_helper.PROMISE
    )


class GatherTest(absltest.TestCase):
    def test_indexes_what_was_recorded(self):
        facts = _gather(record_test_helper.passing())
        self.assertEqual(facts.attempts, (facts.interrupted, facts.resumed))
        self.assertEqual(facts.resumed.ranks, [0, 1, 2, 3])
        self.assertEqual(facts.golden_contradiction, "")
        timeline = facts.resumed.timelines[2]
        self.assertEqual(timeline.iterations, [4, 5, 6, 7, 8])
        self.assertEqual(
            timeline.checkpoint_iterations(run_pb2.CheckpointEvent.SAVED), [6]
        )
        self.assertLen(timeline.digests(run_pb2.StateDigest.LOADED, 3), 1)
        self.assertEmpty(timeline.digests(run_pb2.StateDigest.LOADED, 6))

    def test_an_attempt_that_is_not_in_the_record_is_empty(self):
        records = record_test_helper.passing()
        del records.run.attempts[1]
        facts = _gather(records)
        self.assertNotEqual(facts.interrupted, _NO_ATTEMPT)
        self.assertEqual(facts.resumed, _NO_ATTEMPT)
        del records.run.attempts[0]
        self.assertEqual(_gather(records).interrupted, _NO_ATTEMPT)

    def test_a_golden_that_contradicts_itself_has_no_trajectories(self):
        records = record_test_helper.passing()
        doubled = golden_pb2.Series()
        doubled.CopyFrom(records.series("grad norm"))
        records.golden.series.append(doubled)
        facts = _gather(records)
        self.assertEmpty(facts.golden_trajectories)
        self.assertIn("grad norm", facts.golden_contradiction)


if __name__ == "__main__":
    absltest.main()
