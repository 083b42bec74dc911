"""Tests for what the first difference says about the cause."""

from collections.abc import MutableSequence

from absl.testing import absltest, parameterized

from regress.golden import metrics
from regress.oracle import record_test_helper, verdict_pb2
from regress.report import summary, wording
from regress.run import run_pb2

_Step = run_pb2.StepMetrics

# How to make each metric of a step wrong, in the order of the data flow.
_BREAK = {
    "learning rate": lambda step: setattr(
        step.param_groups[0], "learning_rate", 9.0
    ),
    "weight decay": lambda step: setattr(
        step.param_groups[0], "weight_decay", 9.0
    ),
    "elements": lambda step: setattr(step.param_groups[0], "elements", 9),
    "consumed samples": lambda step: setattr(step, "consumed_samples", 9),
    "data digest": lambda step: setattr(step, "data_digest", 9),
    "random state digest": lambda step: setattr(step, "random_state_digest", 9),
    "loss scale": lambda step: setattr(step, "loss_scale", 9.0),
    "lm loss": lambda step: setattr(step, "lm_loss", 9.0),
    "grad norm": lambda step: setattr(step, "grad_norm", 9.0),
    "zeros in grad": lambda step: setattr(step, "zeros_in_grad", 9),
    "params norm": lambda step: setattr(step, "params_norm", 9.0),
}

_LAST_RANK = record_test_helper.RANKS - 1

_STAGES = (0, 3)


class DiagnosisTest(parameterized.TestCase):
    def test_every_metric_points_to_something(self):
        self.assertCountEqual(summary.POINTERS, metrics.ORDER)
        self.assertEqual(list(_BREAK), list(metrics.ORDER))

    @parameterized.parameters(*_BREAK)
    def test_the_first_metric_of_a_step_names_the_cause(self, name):
        # The metric differs, and so does everything that follows from it.
        following = list(_BREAK)[list(_BREAK).index(name) :]
        for attempts in ((1,), (0, 1)):
            records = record_test_helper.passing()
            for attempt in attempts:
                for metric in following:
                    _BREAK[metric](records.step(attempt, _LAST_RANK, 4))
            verdict = records.judge()
            self.assertStartsWith(wording.subject(verdict.findings[0]), name)
            self.assertIn(
                f"that {name} is the first to differ points to "
                f"{summary.POINTERS[name]};",
                summary.summarize(verdict),
            )
            self.assertEqual(verdict.first_bad_iteration, 4)

    def test_the_check_that_decided_gives_the_clues(self):
        records = record_test_helper.passing()
        for rank in _STAGES:
            # It read the batch of iteration 3.
            digest = records.step(0, rank, 3).data_digest
            records.step(0, rank, 2).data_digest = digest
        loaded = records.state(1, 0, run_pb2.StateDigest.LOADED)
        loaded.entries[6].digest = "bad"
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, verdict_pb2.Verdict.NUMERIC_DRIFT)
        self.assertEqual(verdict.clues[0].batch_of_iteration, 3)

    def test_an_earlier_iteration_counts_more_than_the_data_flow(self):
        records = record_test_helper.passing()
        _BREAK["params norm"](records.step(1, 0, 5))
        _BREAK["learning rate"](records.step(1, 0, 6))
        verdict = records.judge()
        self.assertEqual(wording.subject(verdict.findings[0]), "params norm")
        self.assertIn(
            "that params norm is the first", summary.summarize(verdict)
        )
        self.assertEqual(verdict.first_bad_iteration, 5)

    def test_a_saved_state_points_beyond_the_metrics(self):
        records = record_test_helper.passing()
        for event in records.rank(1, 2).events:
            if event.state.moment == run_pb2.StateDigest.SAVED:
                event.state.entries[0].digest = "bad"
        records.go_on_as_recorded()
        verdict = records.judge()
        self.assertIn(
            "state that no metric of a step shows",
            summary.summarize(verdict),
        )
        self.assertEqual(verdict.first_bad_iteration, 6)


def _records_with_batch(
    iteration: int, of: int, ranks: tuple[int, ...] = _STAGES
) -> record_test_helper.Records:
    """Returns records in which attempt 1 trains on another iteration's batch.

    Args:
        iteration: The iteration with the wrong batch.
        of: The iteration to which that batch belongs.
        ranks: The ranks that read the wrong batch.
    """
    records = record_test_helper.passing()
    for rank in ranks:
        batch = records.step(1, rank, of).data_digest
        records.step(1, rank, iteration).data_digest = batch
    return records


def _golden_streams(
    records: record_test_helper.Records, rank: int
) -> MutableSequence[float]:
    """Returns the golden's digests of a rank's random streams.

    They start at iteration 1. The test may change them.
    """
    (found,) = (
        one
        for one in records.golden.series
        if (one.metric, list(one.ranks)) == ("random state digest", [rank])
    )
    return found.values


class DataTest(parameterized.TestCase):
    @parameterized.parameters((5, 4, "again"), (5, 6, "too early"))
    def test_names_the_iteration_whose_batch_was_trained(self, at, of, how):
        said = summary.summarize(_records_with_batch(at, of).judge())
        self.assertIn(
            f"iteration {at} trained the batch of iteration {of} {how}", said
        )
        self.assertNotIn("iterators", said)

    @parameterized.parameters(*_STAGES)
    def test_says_that_the_stages_disagree(self, wrong):
        (right,) = set(_STAGES) - {wrong}
        said = summary.summarize(_records_with_batch(5, 4, (wrong,)).judge())
        self.assertIn(
            f"rank {right} read the right batch and rank {wrong} did not, so "
            "the stages' iterators disagree",
            said,
        )

    def test_a_stage_that_is_wrong_later_was_right_at_first(self):
        records = _records_with_batch(5, 4, (0,))
        records.step(1, 3, 6).data_digest = 0xABCDEF
        self.assertIn(
            "rank 3 read the right batch and rank 0 did not",
            summary.summarize(records.judge()),
        )

    def test_says_nothing_of_a_batch_that_nobody_trained(self):
        records = record_test_helper.passing()
        for rank in _STAGES:
            records.step(1, rank, 5).data_digest = 0xABCDEF
        said = summary.summarize(records.judge())
        self.assertIn("points to the order of the data", said)
        self.assertNotIn("trained the batch", said)

    def test_says_nothing_of_a_batch_that_is_right(self):
        # The repeat reads the right batch; attempt 0 read a wrong one.
        records = record_test_helper.passing()
        for attempt in (0, 1):
            for rank in _STAGES:
                records.step(attempt, rank, 4).data_digest = 0xABCDEF
        records.add_repeat(4)
        verdict = records.judge()
        self.assertEqual(wording.actual(verdict.findings[0]), "0000da7a0004")
        self.assertNotIn("trained the batch", summary.summarize(verdict))

    def test_says_nothing_of_a_digest_that_is_absent(self):
        records = record_test_helper.passing()
        records.step(1, 0, 5).ClearField("data_digest")
        said = summary.summarize(records.judge())
        self.assertIn("points to the order of the data", said)
        self.assertNotIn("iterators", said)

    def test_says_nothing_of_a_digest_on_a_stage_without_data(self):
        records = record_test_helper.passing()
        repeat = records.add_repeat(4)
        for iteration in range(1, 5):
            records.step(0, 1, iteration).data_digest = 0xABCDEF
            records.all_steps(repeat, iteration)[1].data_digest = 0xFEDCBA
        records.step(1, 1, 4).data_digest = 0xABCDEF
        verdict = records.judge()
        self.assertEqual(wording.actual(verdict.findings[0]), "000000fedcba")
        self.assertIn(
            "points to the order of the data", summary.summarize(verdict)
        )
        self.assertNotIn("trained the batch", summary.summarize(verdict))

    def test_names_the_first_of_equal_batches(self):
        records = record_test_helper.passing()
        batch = 0xABCDEF
        records.series("data digest").values[0] = batch
        records.series("data digest").values[1] = batch
        for rank in _STAGES:
            for attempt, iteration in ((0, 1), (0, 2), (1, 5)):
                records.step(attempt, rank, iteration).data_digest = batch
        said = summary.summarize(records.judge())
        self.assertIn(
            "iteration 5 trained the batch of iteration 1 again", said
        )
        self.assertNotIn("of iteration 2", said)

    def test_a_digest_on_a_stage_without_data_is_no_disagreement(self):
        records = record_test_helper.passing()
        records.step(1, 1, 5).data_digest = 0xABCDEF
        self.assertNotIn("iterators", summary.summarize(records.judge()))


class RandomTest(parameterized.TestCase):
    def test_names_the_iteration_whose_streams_a_step_began_with(self):
        records = record_test_helper.passing()
        records.step(1, 2, 5).random_state_digest = records.step(
            1, 2, 4
        ).random_state_digest
        self.assertIn(
            "rank 2 began iteration 5 with the random streams of iteration 4;",
            summary.summarize(records.judge()),
        )

    def test_names_the_rank_whose_streams_a_step_began_with(self):
        records = record_test_helper.passing()
        records.step(1, 2, 5).random_state_digest = records.step(
            1, 1, 5
        ).random_state_digest
        self.assertIn(
            "rank 2 began iteration 5 with the random streams of rank 1;",
            summary.summarize(records.judge()),
        )

    def test_names_the_first_of_equal_streams(self):
        # A model without dropout draws no random numbers.
        records = record_test_helper.passing()
        drawn = 0xABCDEF
        for iteration in (1, 2):
            records.step(0, 2, iteration).random_state_digest = drawn
            _golden_streams(records, 2)[iteration - 1] = drawn
        records.step(1, 2, 5).random_state_digest = drawn
        said = summary.summarize(records.judge())
        self.assertIn("the random streams of iteration 1;", said)
        self.assertEqual(said.count("began iteration 5"), 1)

    def test_names_the_first_of_ranks_with_equal_streams(self):
        records = record_test_helper.passing()
        drawn = 0xABCDEF
        for rank in (0, 1):
            records.step(1, rank, 5).random_state_digest = drawn
            _golden_streams(records, rank)[4] = drawn
        records.step(1, 2, 5).random_state_digest = drawn
        said = summary.summarize(records.judge())
        self.assertIn("the random streams of rank 0;", said)
        self.assertEqual(said.count("began iteration 5"), 1)

    def test_says_nothing_of_streams_that_are_right(self):
        records = record_test_helper.passing()
        for attempt in (0, 1):
            records.step(attempt, 2, 4).random_state_digest = 0xABCDEF
        records.add_repeat(4)
        verdict = records.judge()
        self.assertEqual(
            wording.subject(verdict.findings[0]), "random state digest"
        )
        self.assertNotIn("began iteration", summary.summarize(verdict))

    def test_says_nothing_of_streams_that_nobody_had(self):
        records = record_test_helper.passing()
        records.step(1, 2, 5).random_state_digest = 0xABCDEF
        said = summary.summarize(records.judge())
        self.assertIn("points to a random stream", said)
        self.assertNotIn("began iteration", said)


if __name__ == "__main__":
    absltest.main()
