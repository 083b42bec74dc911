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

    def test_only_an_attempt_that_was_ended_has_an_end(self):
        records = record_test_helper.passing()
        failed = record_test_helper.failed(2)
        records.run.attempts[1].end.CopyFrom(failed)
        observed = _gather(records)
        self.assertIsNone(observed.attempt(0).end)
        self.assertEqual(observed.attempt(1).end, failed)

    def test_only_a_golden_of_one_hardware_holds_states(self):
        records = record_test_helper.passing()
        self.assertTrue(_gather(records).golden_holds_states)
        records.golden.hardware = "any"
        self.assertFalse(_gather(records).golden_holds_states)
        observed = observations.gather(
            records.case, records.run, None, record_test_helper.TARGET
        )
        self.assertFalse(observed.golden_holds_states)

    def test_what_follows_the_attempts_is_counted_on(self):
        case = record_test_helper.small_case()
        case.relaunch_finished = True
        records = record_test_helper.passing(case)
        observed = _gather(records)
        self.assertEqual(
            [(one.index, one.ranks) for one in observed.launches],
            [(index, [0, 1, 2, 3]) for index in range(4)],
        )
        self.assertEqual(observed.read_back, observed.launches[2])
        self.assertEqual(observed.relaunch, observed.launches[3])

    def test_what_did_not_follow_the_attempts_is_empty(self):
        records = record_test_helper.passing()
        records.run.ClearField("read_back")
        observed = _gather(records)
        self.assertEqual(observed.read_back, _no_attempt(2))
        self.assertEqual(observed.relaunch, _no_attempt(3))
        self.assertEqual(observed.launches, observed.attempts)

    def test_indexes_what_a_rank_said_besides(self):
        records = record_test_helper.passing()
        change = run_pb2.SettingsChange(iteration=5, settings={"a": "b"})
        events = records.rank(1, 2).events
        events.add(settings_change=change)
        events.add(hardware_found=run_pb2.HardwareFound(hardware="a GPU"))
        timeline = _gather(records).attempt(1).timelines[2]
        self.assertEqual(timeline.settings_changes, [change])
        self.assertEqual(timeline.hardware_found, ["a GPU"])

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


class LoadTest(absltest.TestCase):
    def test_is_of_what_the_cases_attempts_saved(self):
        records = record_test_helper.passing()
        # The case asks for two attempts.
        records.run.attempts.add().CopyFrom(records.run.attempts[1])
        observed = _gather(records)
        load = observed.load_of_read_back
        self.assertEqual(load.savers, observed.attempts[:2])
        self.assertEqual((load.loader, load.iteration), (observed.read_back, 8))

    def test_has_the_state_of_its_own_iteration_or_of_another(self):
        # Attempt 0 saves 3 and 6, and attempt 1 loads 6.
        records = record_test_helper.passing(record_test_helper.small_case(7))
        saved, loaded = run_pb2.StateDigest.SAVED, run_pb2.StateDigest.LOADED
        older = record_test_helper.digest(2, 3, loaded)
        records.rank(1, 2).events.add(state=older)
        load = _gather(records).load(1)
        self.assertEqual(
            load.saved(2), [record_test_helper.digest(2, 6, saved)]
        )
        self.assertEqual(
            load.saved(2, 3), [record_test_helper.digest(2, 3, saved)]
        )
        self.assertEqual(
            load.loaded(2), [record_test_helper.digest(2, 6, loaded)]
        )
        self.assertEqual(load.loaded(2, 3), [older])


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
