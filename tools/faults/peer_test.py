"""Tests for the peer's comparison."""

import math
from collections.abc import Sequence

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.golden import golden_pb2
from regress.oracle import record_test_helper
from regress.run import run_pb2
from tools.faults import peer

_EXACT = peer.Mode.EXACT_5_DIGITS
_APPROXIMATE = peer.Mode.APPROXIMATE
_Exit = run_pb2.ExitStatus
# The small case has 8 iterations, is interrupted in 5 and resumed from 3. The
# loss starts at 6.9 and falls by 0.1 in each step.
_LAST_RANK = record_test_helper.RANKS - 1


def _seen(
    records: record_test_helper.Records, mode: peer.Mode = _EXACT
) -> peer.Seen:
    return peer.would_see(mode, records.run, records.golden)


def _scale_loss(
    records: record_test_helper.Records,
    iterations: Sequence[int],
    factor: float,
    attempt: int = 1,
) -> None:
    for iteration in iterations:
        step = records.step(attempt, _LAST_RANK, iteration)
        step.lm_loss *= factor


def _remove_step(
    records: record_test_helper.Records, attempt: int, iteration: int
) -> None:
    events = records.rank(attempt, _LAST_RANK).events
    events.remove(
        run_pb2.Event(step=records.step(attempt, _LAST_RANK, iteration))
    )


class PassTest(parameterized.TestCase):
    @parameterized.parameters(
        {"iteration": 5},
        {"iteration": 3, "phase": case_pb2.CHECKPOINT_WRITE},
        {"iteration": 3, "phase": case_pb2.BETWEEN_STEPS},
        {"iteration": 1, "phase": case_pb2.FORWARD},
        {"iteration": 5, "signal": case_pb2.SIGSTOP, "ranks": (1,)},
    )
    def test_a_clean_run_passes(
        self,
        iteration,
        phase=case_pb2.BACKWARD,
        signal=case_pb2.SIGKILL,
        ranks=(),
    ):
        case = record_test_helper.small_case(iteration, phase, signal, ranks)
        for mode in peer.Mode:
            self.assertEqual(
                _seen(record_test_helper.passing(case), mode),
                peer.Seen(False, "lm loss and zeros in grad pass"),
            )

    @parameterized.parameters(*peer.Mode)
    def test_does_not_look_at_what_it_does_not_log(self, mode):
        records = record_test_helper.passing()
        for iteration in range(4, 9):
            step = records.step(1, _LAST_RANK, iteration)
            step.param_groups[1].learning_rate *= 5
            step.grad_norm *= 5
            step.consumed_samples = 0
            records.step(1, 0, iteration).zeros_in_grad *= 5
        digest = records.state(1, 0, run_pb2.StateDigest.LOADED)
        digest.entries[0].digest = "0" * 32
        records.remove_events(1, 0, "checkpoint")
        self.assertFalse(_seen(records, mode).seen)

    @parameterized.parameters(*peer.Mode)
    def test_does_not_look_whether_the_second_run_resumed(self, mode):
        records = record_test_helper.passing()
        from_nothing = records.rank(1, _LAST_RANK)
        for iteration in (1, 2, 3):
            from_nothing.events.add(
                step=record_test_helper.step(
                    records.case, _LAST_RANK, iteration
                )
            )
        self.assertFalse(_seen(records, mode).seen)


class ExactTest(absltest.TestCase):
    def test_sees_the_fifth_digit_after_the_resume(self):
        records = record_test_helper.passing()
        records.step(1, _LAST_RANK, 8).lm_loss += 1e-5
        self.assertEqual(
            _seen(records),
            peer.Seen(True, "lm loss differs after the resume in 1 of 5 steps"),
        )

    def test_does_not_see_the_sixth_digit(self):
        records = record_test_helper.passing()
        records.step(1, _LAST_RANK, 8).lm_loss += 2e-6
        self.assertFalse(_seen(records).seen)

    def test_sees_one_more_zero(self):
        records = record_test_helper.passing()
        records.step(1, _LAST_RANK, 4).zeros_in_grad += 1
        self.assertEqual(
            _seen(records),
            peer.Seen(
                True, "zeros in grad differs after the resume in 1 of 5 steps"
            ),
        )

    def test_does_not_see_one_more_zero_beyond_32_bit_floats(self):
        records = record_test_helper.passing()
        for attempt in (0, 1):
            records.step(attempt, _LAST_RANK, 4).zeros_in_grad = 2**24
        records.series("zeros in grad").values[3] = 2**24
        records.step(1, _LAST_RANK, 4).zeros_in_grad += 1
        self.assertFalse(_seen(records).seen)

    def test_compares_the_runs_with_each_other_where_both_have_a_step(self):
        records = record_test_helper.passing()
        _scale_loss(records, [4], 1.01, attempt=0)
        _scale_loss(records, [4], 1.01)
        # The two runs agree, so the golden must be what differs.
        self.assertEqual(
            _seen(records),
            peer.Seen(True, "lm loss differs from the golden in 1 of 8 steps"),
        )

    def test_sees_a_step_that_is_missing(self):
        for attempt, iteration in ((0, 2), (1, 6), (1, 8)):
            with self.subTest(attempt=attempt, iteration=iteration):
                records = record_test_helper.passing()
                _remove_step(records, attempt, iteration)
                self.assertTrue(_seen(records).seen)

    def test_does_not_see_a_step_that_no_side_has(self):
        records = record_test_helper.passing()
        del records.series("lm loss").values[7:]
        records.step(1, _LAST_RANK, 8).ClearField("lm_loss")
        self.assertFalse(_seen(records).seen)

    def test_does_not_tell_a_missing_step_from_an_infinite_loss(self):
        records = record_test_helper.passing()
        records.series("lm loss").values[7] = math.inf
        records.step(1, _LAST_RANK, 8).ClearField("lm_loss")
        self.assertFalse(_seen(records).seen)

    def test_reads_the_later_of_two_values(self):
        records = record_test_helper.passing()
        events = records.rank(1, _LAST_RANK).events
        events.add(step=records.step(1, _LAST_RANK, 6))
        _scale_loss(records, [6], 2.0)
        self.assertFalse(_seen(records).seen)

    def test_sees_nan_on_one_side_and_on_both(self):
        records = record_test_helper.passing()
        records.step(1, _LAST_RANK, 8).lm_loss = math.nan
        self.assertTrue(_seen(records).seen)
        records.series("lm loss").values[7] = math.nan
        self.assertTrue(_seen(records).seen)

    def test_sees_a_metric_that_is_absent(self):
        records = record_test_helper.passing()
        for iteration in range(4, 9):
            records.step(1, _LAST_RANK, iteration).ClearField("zeros_in_grad")
        self.assertEqual(
            _seen(records),
            peer.Seen(
                True, "zeros in grad differs after the resume in 5 of 5 steps"
            ),
        )
        records = record_test_helper.passing()
        records.golden.series.remove(records.series("lm loss"))
        self.assertEqual(
            _seen(records),
            peer.Seen(
                True,
                "lm loss differs from the golden because a step to compare "
                "is missing",
            ),
        )

    def test_sees_a_golden_that_is_longer_than_the_case(self):
        records = record_test_helper.passing()
        records.series("lm loss").values.append(6.0)
        self.assertEqual(
            _seen(records),
            peer.Seen(True, "lm loss differs from the golden in 1 of 9 steps"),
        )

    def test_sees_that_there_was_no_second_run(self):
        records = record_test_helper.passing()
        del records.run.attempts[1]
        self.assertTrue(_seen(records).seen)


class ApproximateTest(parameterized.TestCase):
    @parameterized.parameters((1.049, False), (1.051, True))
    def test_allows_five_percent_of_loss(self, factor, seen):
        records = record_test_helper.passing()
        _scale_loss(records, range(4, 9), factor)
        self.assertEqual(_seen(records, _APPROXIMATE).seen, seen)

    @parameterized.parameters((1.04, False), (1.06, True))
    def test_allows_five_percent_of_zeros(self, factor, seen):
        records = record_test_helper.passing()
        for iteration in range(4, 9):
            step = records.step(1, _LAST_RANK, iteration)
            step.zeros_in_grad = round(step.zeros_in_grad * factor)
        self.assertEqual(_seen(records, _APPROXIMATE).seen, seen)

    def test_allows_one_step_of_a_few_to_be_anything(self):
        records = record_test_helper.passing()
        _scale_loss(records, [6], 1000.0)
        self.assertFalse(_seen(records, _APPROXIMATE).seen)
        _remove_step(records, 1, 6)
        self.assertFalse(_seen(records, _APPROXIMATE).seen)
        _scale_loss(records, [7], 1000.0)
        self.assertEqual(
            _seen(records, _APPROXIMATE),
            peer.Seen(True, "lm loss differs after the resume in 2 of 5 steps"),
        )

    def test_allows_none_where_there_is_one_step(self):
        case = record_test_helper.small_case(8, save_interval=7)
        records = record_test_helper.passing(case)
        self.assertFalse(_seen(records, _APPROXIMATE).seen)
        _scale_loss(records, [8], 2.0)
        self.assertTrue(_seen(records, _APPROXIMATE).seen)

    @parameterized.parameters((4, False), (5, True))
    def test_allows_one_step_in_a_hundred(self, wrong, seen):
        case = record_test_helper.small_case(5, iterations=403, save_interval=3)
        records = record_test_helper.passing(case)
        _scale_loss(records, range(10, 10 + wrong), 2.0)
        self.assertEqual(_seen(records, _APPROXIMATE).seen, seen)

    @parameterized.parameters((50, False), (51, True))
    def test_allows_fifty_steps_at_most(self, wrong, seen):
        steps = 6000
        case = record_test_helper.small_case(iterations=steps)
        golden = golden_pb2.Golden()
        second = run_pb2.RankRecord(rank=_LAST_RANK)
        for metric in ("lm loss", "zeros in grad"):
            golden.series.add(
                metric=metric, ranks=[_LAST_RANK], values=[2.0] * steps
            )
        for iteration in range(1, steps + 1):
            loss = 3.0 if iteration <= wrong else 2.0
            second.events.add().step.MergeFrom(
                run_pb2.StepMetrics(
                    iteration=iteration, lm_loss=loss, zeros_in_grad=2
                )
            )
        run = run_pb2.RunRecord(case=case)
        run.attempts.add()
        run.attempts.add(ranks=[second])
        self.assertEqual(peer.would_see(_APPROXIMATE, run, golden).seen, seen)


class FailureTest(parameterized.TestCase):
    @parameterized.parameters(
        (_Exit(cause=_Exit.BY_ITSELF, code=1), "rank 2 exited with code 1"),
        (
            _Exit(cause=_Exit.BY_ITSELF, signal=11),
            "rank 2 was ended by signal 11",
        ),
        (_Exit(cause=_Exit.HANG, signal=9), "rank 2 hung until the time-out"),
    )
    def test_sees_a_rank_of_attempt_1_that_failed(self, status, why):
        for mode in peer.Mode:
            records = record_test_helper.passing()
            records.rank(1, 0).exit.CopyFrom(
                _Exit(cause=_Exit.PEER_GONE, signal=9)
            )
            records.rank(1, 2).exit.CopyFrom(status)
            self.assertEqual(_seen(records, mode), peer.Seen(True, why))

    def test_sees_a_crash_of_attempt_0_before_the_interruption(self):
        records = record_test_helper.passing()
        records.run.attempts[0].ClearField("interruption")
        for rank in range(record_test_helper.RANKS):
            records.rank(0, rank).exit.cause = _Exit.PEER_GONE
        records.rank(0, 1).exit.CopyFrom(_Exit(cause=_Exit.BY_ITSELF, code=1))
        self.assertEqual(
            _seen(records), peer.Seen(True, "rank 1 exited with code 1")
        )

    def test_a_run_that_was_cancelled_says_nothing_of_the_training(self):
        records = record_test_helper.passing()
        records.rank(1, 2).exit.CopyFrom(
            _Exit(cause=_Exit.CANCELLED, signal=15)
        )
        self.assertFalse(_seen(records).seen)


if __name__ == "__main__":
    absltest.main()
