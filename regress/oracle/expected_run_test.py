"""Tests of which iterations must run, and which of them must be saved."""

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import expected_run, observations, record_test_helper


def _facts(case: case_pb2.Case) -> observations.Observations:
    records = record_test_helper.passing(case)
    return observations.gather(
        records.case, records.run, records.golden, record_test_helper.TARGET
    )


class ExpectedRunTest(parameterized.TestCase):
    @parameterized.parameters(
        # Iteration and phase; last step, saves and checkpoints of attempt 0;
        # first step and saves of attempt 1; steps and saves of both attempts.
        (5, case_pb2.FORWARD, 4, [3], [3], 4, [6], [4], []),
        (4, case_pb2.BACKWARD, 3, [3], [3], 4, [6], [], []),
        (6, case_pb2.OPTIMIZER_STEP, 5, [3], [3], 4, [6], [4, 5], []),
        (6, case_pb2.CHECKPOINT_WRITE, 6, [3, 6], [3], 4, [6], [4, 5, 6], [6]),
        (6, case_pb2.BETWEEN_STEPS, 6, [3, 6], [3, 6], 7, [], [], []),
        (7, case_pb2.BETWEEN_STEPS, 7, [3, 6], [3, 6], 7, [], [7], []),
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
        facts = _facts(record_test_helper.small_case(iteration, phase))
        ranks = range(record_test_helper.RANKS)
        for actual, expected in (
            (expected_run.interrupted(facts), range(1, last + 1)),
            (expected_run.interrupted_saves(facts), saves),
            (expected_run.interrupted_checkpoints(facts), checkpoints),
            (expected_run.resumed(facts), range(resumed_first, 9)),
            (expected_run.resumed_saves(facts), resumed_saves),
            (expected_run.repeated_saves(facts), repeated_saves),
        ):
            self.assertEqual(actual, dict.fromkeys(ranks, expected))
        self.assertEqual(
            {
                rank: list(one)
                for rank, one in expected_run.repeated(facts).items()
            },
            dict.fromkeys(ranks, repeated),
        )

    @parameterized.parameters(
        (4, 1, [1, 2, 3, 4]), (4, 3, [3, 4]), (6, 3, [3, 6])
    )
    def test_a_graceful_stop_has_a_checkpoint_of_its_own(
        self, iteration, save_interval, expected
    ):
        facts = _facts(
            record_test_helper.small_case(
                iteration,
                signal=case_pb2.SIGTERM,
                save_interval=save_interval,
                graceful=True,
            )
        )
        self.assertEqual(
            expected_run.interrupted_checkpoints(facts),
            dict.fromkeys(range(record_test_helper.RANKS), expected),
        )


if __name__ == "__main__":
    absltest.main()
