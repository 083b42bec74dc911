"""Tests for which iterations must run, and which of them must be saved."""

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import expected_run, observations, record_test_helper


def _facts(case: case_pb2.Case) -> observations.Observations:
    return _observed(record_test_helper.passing(case))


def _observed(records: record_test_helper.Records) -> observations.Observations:
    return observations.gather(
        records.case, records.run, records.golden, record_test_helper.TARGET
    )


def _listed(found):
    return [
        (earlier, {rank: list(one) for rank, one in common.items()})
        for earlier, common in found
    ]


def _of_all(iterations):
    return dict.fromkeys(range(record_test_helper.RANKS), iterations)


class ExpectedRunTest(parameterized.TestCase):
    @parameterized.parameters(
        # Iteration and phase; last step, saves and checkpoints of attempt 0;
        # first step and saves of attempt 1; steps and saves of both attempts.
        (5, case_pb2.FORWARD, 4, [3], [3], 4, [6, 8], [4], []),
        (4, case_pb2.BACKWARD, 3, [3], [3], 4, [6, 8], [], []),
        (6, case_pb2.OPTIMIZER_STEP, 5, [3], [3], 4, [6, 8], [4, 5], []),
        (
            6,
            case_pb2.CHECKPOINT_WRITE,
            6,
            [3, 6],
            [3],
            4,
            [6, 8],
            [4, 5, 6],
            [6],
        ),
        (6, case_pb2.BETWEEN_STEPS, 6, [3, 6], [3, 6], 7, [8], [], []),
        (7, case_pb2.BETWEEN_STEPS, 7, [3, 6], [3, 6], 7, [8], [7], []),
    )
    def test_follow_from_the_case(
        self,
        iteration,
        phase,
        last,
        saves,
        checkpoints,
        resumed_first,
        resumed_saves,
        repeated,
        repeated_saves,
    ):
        observed = _facts(record_test_helper.small_case(iteration, phase))
        ranks = range(record_test_helper.RANKS)
        for actual, expected in (
            (expected_run.steps(observed, 0), range(1, last + 1)),
            (expected_run.saves(observed, 0), saves),
            (expected_run.checkpoints(observed, 0), checkpoints),
            (expected_run.steps(observed, 1), range(resumed_first, 9)),
            (expected_run.saves(observed, 1), resumed_saves),
            (expected_run.checkpoints(observed, 1), resumed_saves),
        ):
            self.assertEqual(actual, dict.fromkeys(ranks, expected))
        self.assertEqual(expected_run.stored(observed), [3, 6, 8])
        for found, expected in (
            (expected_run.replayed(observed, 1), repeated),
            (expected_run.saved_again(observed, 1), repeated_saves),
        ):
            self.assertEqual(
                _listed(found),
                [(0, dict.fromkeys(ranks, expected))] if expected else [],
            )

    def test_a_peer_need_not_have_begun_the_save_that_is_hit(self) -> None:
        records = record_test_helper.passing(
            record_test_helper.small_case(6, case_pb2.CHECKPOINT_WRITE)
        )
        for rank in range(record_test_helper.RANKS):
            events = records.rank(0, rank).events
            self.assertEqual(events.pop().state.iteration, 6)
        self.assertEqual(
            expected_run.saves(_observed(records), 0),
            {0: [3], 1: [3], 2: [3], 3: [3, 6]},
        )

    def test_of_several_attempts_the_last_one_is_replayed(self):
        case = record_test_helper.small_case(
            6, case_pb2.CHECKPOINT_WRITE, iterations=20
        )
        for iteration, phase in (
            (5, case_pb2.BETWEEN_STEPS),
            (9, case_pb2.CHECKPOINT_WRITE),
        ):
            case.interruption.add(
                iteration=iteration, phase=phase, signal=case_pb2.SIGKILL
            )
        observed = _facts(case)
        self.assertEqual(
            [observed.start(index) for index in range(4)], [0, 3, 3, 6]
        )
        self.assertEqual(
            _listed(expected_run.replayed(observed, 2)),
            [
                (1, _of_all([4, 5])),
                (0, _of_all([6])),
            ],
        )
        self.assertEqual(
            _listed(expected_run.saved_again(observed, 2)),
            [(0, _of_all([6]))],
        )
        self.assertEqual(
            _listed(expected_run.replayed(observed, 3)),
            [(2, _of_all([7, 8, 9]))],
        )
        self.assertEqual(
            expected_run.stored(observed), [3, 6, 9, 12, 15, 18, 20]
        )

    def test_the_first_checkpoint_is_stored_too(self):
        case = record_test_helper.small_case(2, iterations=4, save_interval=1)
        self.assertEqual(expected_run.stored(_facts(case)), [1, 2, 3, 4])

    @parameterized.parameters(
        (4, 1, [1, 2, 3, 4]), (4, 3, [3, 4]), (6, 3, [3, 6])
    )
    def test_a_graceful_stop_has_a_checkpoint_of_its_own(
        self, iteration, save_interval, expected
    ):
        observed = _facts(
            record_test_helper.small_case(
                iteration,
                signal=case_pb2.SIGTERM,
                save_interval=save_interval,
                graceful=True,
            )
        )
        self.assertEqual(
            expected_run.checkpoints(observed, 0),
            dict.fromkeys(range(record_test_helper.RANKS), expected),
        )


if __name__ == "__main__":
    absltest.main()
