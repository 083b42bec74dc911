"""Tests for the one-sentence summary of verdicts in which numbers differ."""

from absl.testing import absltest, parameterized

from regress.oracle import record_test_helper, verdict_pb2
from regress.report import summary
from regress.run import run_pb2

_LAST = record_test_helper.RANKS - 1

# Attempt 0 of the small case runs iterations 1 to 4. Attempt 1 replays 4 and
# runs 5 to 8.
_REPLAYED = 4
_BEYOND = 7

_POINTER = (
    "that lm loss is the first to differ points to the forward pass, as what "
    "it reads is right: weights, or arithmetic"
)
_NOISE = "the same iterations, run twice from the same state, differ"
_FIX = "until this is fixed, no other mismatch can be told from noise."
_DRIFT = "the numbers left the golden before anything was resumed"
_REPRODUCIBLE = (
    "so the numbers are reproducible, and the code, its dependencies or the "
    "machine have changed since the golden was recorded."
)
_LEFT = (
    "the loaded state is the saved state, and training went on from both: look "
    "for state that is neither saved nor digested, or for code or a setting "
    "that is another after a resume"
)
_DIVERGENCE = "the resumed run is not the run that was interrupted"


def _records(
    iteration: int, attempts: tuple[int, ...], repeat: float | None
) -> record_test_helper.Records:
    """Returns records with a wrong loss.

    Args:
        iteration: The iteration in which the loss is wrong.
        attempts: The attempts in which it is wrong.
        repeat: The repeat's loss in that iteration; 0 for the golden's, None
            for no repeat.
    """
    records = record_test_helper.passing()
    for attempt in attempts:
        records.step(attempt, _LAST, iteration).lm_loss = 1.5
    if repeat is not None:
        repeated = records.add_repeat(iteration)
        if repeat:
            step = records.all_steps(repeated, iteration)[_LAST]
            step.lm_loss = repeat
    return records


def _of_command(finding: verdict_pb2.Finding, *clues: verdict_pb2.Clue) -> str:
    """Sums up a command's resume that differs in one thing."""
    return summary.summarize(
        verdict_pb2.Verdict(
            conclusion=verdict_pb2.Verdict.RESUME_DIVERGENCE,
            findings=[finding],
            clues=clues,
            outline=verdict_pb2.Outline(of_command=True),
        )
    )


class SummaryTest(parameterized.TestCase):
    @parameterized.named_parameters(
        (
            "noise_in_attempt_0",
            _records(_REPLAYED, (0, 1), 0),
            f"{_NOISE}; lm loss of the repeat of attempt 0 on rank 3 at "
            "iteration 4: expected 1.5 (0x1.8p+0), actual 6.6 (0x1.a66666p+2); "
            f"expected is what attempt 0 did; {_POINTER}; {_FIX}",
        ),
        (
            "noise_beyond_attempt_0",
            _records(_BEYOND, (1,), 2.5),
            f"{_NOISE}; lm loss of attempt 1 on rank 3 at iteration 7: "
            "expected 2.5 (0x1.4p+1), actual 1.5 (0x1.8p+0); expected is what "
            f"the repeat of attempt 0 did; {_POINTER}; {_FIX}",
        ),
        (
            "drift_that_a_repeat_has_beyond_attempt_0",
            _records(_BEYOND, (1,), 1.5),
            f"{_DRIFT}; lm loss of the repeat of attempt 0 on rank 3 at "
            "iteration 7: expected 6.3 (0x1.933334p+2), actual 1.5 (0x1.8p+0); "
            f"{_POINTER}; attempt 1 and a repeat of attempt 0 gave the same "
            f"numbers, {_REPRODUCIBLE}",
        ),
        (
            "drift_that_a_repeat_has",
            _records(_REPLAYED, (0, 1), 1.5),
            f"{_DRIFT}; lm loss of attempt 0 on rank 3 at iteration 4: "
            "expected 6.6 (0x1.a66666p+2), actual 1.5 (0x1.8p+0); "
            f"{_POINTER}; a repeat of attempt 0 gave the same numbers, "
            f"{_REPRODUCIBLE}",
        ),
        (
            "drift_that_the_replay_has",
            _records(_REPLAYED, (0, 1), None),
            f"{_DRIFT}; lm loss of attempt 0 on rank 3 at iteration 4: "
            "expected 6.6 (0x1.a66666p+2), actual 1.5 (0x1.8p+0); "
            f"{_POINTER}; the iterations that ran twice agree with each "
            f"other, {_REPRODUCIBLE}",
        ),
        (
            "drift_that_nothing_has_again",
            _records(_REPLAYED, (0,), None),
            f"{_DRIFT}; lm loss of attempt 0 on rank 3 at iteration 4: "
            "expected 6.6 (0x1.a66666p+2), actual 1.5 (0x1.8p+0); "
            f"{_POINTER}; whether the numbers are reproducible at all, "
            "another run of the test tells.",
        ),
        (
            "a_divergence",
            _records(_BEYOND, (1,), None),
            f"{_DIVERGENCE}; lm loss of attempt 1 on rank 3 at iteration 7: "
            "expected 6.3 (0x1.933334p+2), actual 1.5 (0x1.8p+0); "
            f"{_POINTER}; {_LEFT}; or training is not deterministic, and other "
            "runs of the test give other wrong numbers.",
        ),
        (
            "a_divergence_that_a_repeat_has_not",
            _records(_BEYOND, (1,), 0),
            f"{_DIVERGENCE}; lm loss of attempt 1 on rank 3 at iteration 7: "
            "expected 6.3 (0x1.933334p+2), actual 1.5 (0x1.8p+0); "
            f"{_POINTER}; a repeat of attempt 0 gave the same numbers as "
            f"attempt 0 and the golden, and {_LEFT}; should the test give "
            "other wrong numbers when it is run again, it is noise that the "
            "repeat did not meet.",
        ),
    )
    def test_says_what_differs_and_what_that_shows(self, records, expected):
        self.assertEqual(summary.summarize(records.judge()), expected)

    def test_a_state_that_differs_points_to_nothing(self):
        records = record_test_helper.passing()
        repeat = records.add_repeat(3)
        (saved,) = (
            event.state
            for event in repeat.ranks[1].events
            if event.HasField("state")
        )
        before = saved.entries[0].digest
        saved.entries[0].digest = "bad"
        self.assertEqual(
            summary.summarize(records.judge()),
            f"{_NOISE}; chunk 0/param/weight of the repeat of attempt 0 on "
            f"rank 1 at iteration 3: expected float32[64, 256], digest "
            f"{before[:12]}, actual float32[64, 256], digest bad; expected is "
            f"what attempt 0 did; {_FIX}",
        )

    def test_says_that_ranks_which_print_nothing_may_be_wrong(self):
        self.assertIn(
            "1 in the log of the resume before it are right, which points to "
            "what weights are updated by: moments, rates, a loss scale; or to "
            "the batch or a random stream of a rank that prints nothing.",
            _of_command(
                verdict_pb2.Finding(
                    check="log of the resumes",
                    metric=verdict_pb2.Metric(name="loss"),
                    attempt=1,
                    iteration=18,
                ),
                verdict_pb2.Clue(right_after_resume=1),
                verdict_pb2.Clue(silent_ranks=1),
            ),
        )

    def test_says_that_ranks_may_sum_in_another_order(self):
        self.assertIn(
            "expected 1, actual 2; it may be the order in which 4 ranks sum "
            "gradients, which DistributedDataParallel changes after a "
            "process's first step (docs/trainers.md).",
            _of_command(
                verdict_pb2.Finding(
                    check="checkpoint of the end",
                    metric=verdict_pb2.Metric(name="w"),
                    expected=verdict_pb2.Value(text="1"),
                    actual=verdict_pb2.Value(text="2"),
                    attempt=1,
                ),
                verdict_pb2.Clue(summing_ranks=4),
            ),
        )

    def test_sums_up_the_entries_of_a_wrong_state(self):
        records = record_test_helper.passing()
        loaded = records.state(1, 0, run_pb2.StateDigest.LOADED)
        before = loaded.entries[0].digest
        loaded.entries[0].digest = "bad"
        self.assertEqual(
            summary.summarize(records.judge()),
            f"{_DIVERGENCE}; chunk 0/param/weight of attempt 1 on rank 0 at "
            f"iteration 3: expected float32[64, 256], digest {before[:12]}, "
            "actual float32[64, 256], digest bad; of 28 loaded state entries 1 "
            "differ: param (1) on rank 0.",
        )

    def test_of_a_state_that_is_not_there_there_is_nothing_to_sum_up(self):
        records = record_test_helper.passing()
        records.remove_events(1, 0, "state")
        self.assertEqual(
            summary.summarize(records.judge()),
            f"{_DIVERGENCE}; state digest of attempt 1 on rank 0 at iteration "
            "3: expected recorded once, and once to compare with, actual "
            "recorded never, and once to compare with.",
        )


if __name__ == "__main__":
    absltest.main()
