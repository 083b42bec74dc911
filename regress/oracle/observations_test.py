"""Tests for indexing the case, the run record and the golden."""

from absl.testing import absltest, parameterized

from regress.golden import golden_pb2
from regress.oracle import observations, record_test_helper
from regress.run import run_pb2


def _no_attempt(index: int) -> observations.Attempt:
    return observations.Attempt(index, run_pb2.Attempt(), [], {}, {})


def _gather(records: record_test_helper.Records) -> observations.Observations:
    return observations.gather(
        records.case, records.run, records.golden, record_test_helper.TARGET
    )


class GatherTest(absltest.TestCase):
    def test_indexes_what_was_recorded(self):
        observed = _gather(record_test_helper.passing())
        self.assertEqual(
            observed.attempts, (observed.attempt(0), observed.attempt(1))
        )
        self.assertEqual([one.index for one in observed.attempts], [0, 1])
        self.assertEqual(observed.attempt(1).ranks, [0, 1, 2, 3])
        self.assertEqual(observed.golden_contradiction, "")
        timeline = observed.attempt(1).timelines[2]
        self.assertEqual(timeline.iterations, [4, 5, 6, 7, 8])
        self.assertEqual(
            timeline.checkpoint_iterations(run_pb2.CheckpointEvent.SAVED),
            [6, 8],
        )
        self.assertLen(timeline.digests(run_pb2.StateDigest.LOADED, 3), 1)
        self.assertEmpty(timeline.digests(run_pb2.StateDigest.LOADED, 6))

    def test_an_attempt_that_is_not_in_the_record_is_empty(self):
        records = record_test_helper.passing()
        del records.run.attempts[1]
        observed = _gather(records)
        self.assertNotEqual(observed.attempt(0), _no_attempt(0))
        self.assertEqual(observed.attempt(1), _no_attempt(1))
        del records.run.attempts[0]
        self.assertEqual(_gather(records).attempt(0), _no_attempt(0))

    def test_a_repeat_is_of_attempt_0(self):
        records = record_test_helper.passing()
        self.assertIsNone(_gather(records).repeat)
        records.add_repeat(2)
        repeat = _gather(records).repeat
        assert repeat is not None
        self.assertEqual(repeat.index, 0)
        self.assertEqual(repeat.timelines[2].iterations, [1, 2])

    def test_a_golden_that_contradicts_itself_has_no_trajectories(self):
        records = record_test_helper.passing()
        doubled = golden_pb2.Series()
        doubled.CopyFrom(records.series("grad norm"))
        records.golden.series.append(doubled)
        observed = _gather(records)
        self.assertEmpty(observed.golden_trajectories)
        self.assertIn("grad norm", observed.golden_contradiction)


class SaveIterationsTest(parameterized.TestCase):
    """Asks a case that saves every third iteration, and its last."""

    @parameterized.parameters(
        (0, 8, [3, 6, 8]),
        (0, 7, [3, 6]),
        (0, 2, []),
        (3, 8, [6, 8]),
        (3, 3, []),
        # A graceful stop may save at any iteration, so a later attempt may
        # start at any iteration.
        (4, 8, [6, 8]),
        (5, 7, [6]),
        (8, 8, []),
    )
    def test_are_after_one_and_through_another(self, after, last, expected):
        observed = _gather(record_test_helper.passing())
        self.assertEqual(list(observed.save_iterations(after, last)), expected)


if __name__ == "__main__":
    absltest.main()
