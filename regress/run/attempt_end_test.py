"""Tests for describing why an attempt ended."""

from typing import Any

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.run import attempt_end, run_pb2

_Failure = run_pb2.AttemptEnd.Failure
_Silence = run_pb2.AttemptEnd.Silence


class AttemptEndTest(parameterized.TestCase):
    def test_says_nothing_of_an_attempt_that_ended_well(self) -> None:
        self.assertEqual(attempt_end.describe(run_pb2.AttemptEnd()), "")

    @parameterized.parameters(
        (_Failure(code=3), "Rank 2 exited with code 3 "),
        (_Failure(signal=9), "Rank 2 was ended by SIGKILL "),
        (_Failure(signal=99), "Rank 2 was ended by signal 99 "),
    )
    def test_says_how_a_rank_failed(
        self, failure: run_pb2.AttemptEnd.Failure, how: str
    ) -> None:
        failure.rank.MergeFrom(
            run_pb2.LastSeen(
                rank=2,
                log="/tmp/rank_2.log",
                last_log_line="no memory",
                progress=run_pb2.Progress(iteration=7),
            )
        )
        end = run_pb2.AttemptEnd(failure=failure)
        self.assertEqual(
            attempt_end.describe(end),
            f"{how}after iteration 7; its log /tmp/rank_2.log ends in: "
            "no memory",
        )
        end.failure.rank.last_log_line = ""
        self.assertEndsWith(
            attempt_end.describe(end, "attempt_1"),
            "its log attempt_1/rank_2.log is empty",
        )

    def test_says_who_was_silent(self) -> None:
        silence = _Silence(
            seconds=5.5,
            ranks=[
                run_pb2.LastSeen(rank=0, log="a", process_state="T"),
                run_pb2.LastSeen(rank=1, log="b", process_state="S"),
            ],
        )
        ranks = (
            "rank 0 is stopped (state T), before its first progress message, "
            "log a; rank 1 is running (state S), before its first progress "
            "message, log b."
        )
        began = "The watchdog ended the attempt, as there was no progress "
        self.assertEqual(
            attempt_end.describe(run_pb2.AttemptEnd(silence=silence)),
            f"{began}message for 5.5 s: {ranks}",
        )
        silence.unheard_ranks.extend([0, 1])
        self.assertEqual(
            attempt_end.describe(run_pb2.AttemptEnd(silence=silence)),
            f"{began}message of rank 0, 1 within 5.5 s of the launch: {ranks}",
        )

    @parameterized.parameters(
        (
            {"failure": {"rank": {"last_log_line": "no data"}, "code": 3}},
            "The command exited with code 3 before its log named an iteration; "
            "its log a/rank_0.log ends in: no data",
        ),
        (
            {"failure": {"rank": {"progress": {"iteration": 7}}, "signal": 11}},
            "The command was ended by SIGSEGV after its log named iteration 7; "
            "its log a/rank_0.log is empty",
        ),
        (
            {"silence": {"seconds": 5, "unheard_ranks": [0], "ranks": [{}]}},
            "The watchdog ended the command, as no line of its log matched a "
            "pattern of the case within 5 s of the launch; it was before its "
            "log named an iteration, and its log is a/rank_0.log.",
        ),
        (
            {
                "too_long": {
                    "seconds": 5,
                    "ranks": [{"progress": {"iteration": 7}}],
                }
            },
            "The watchdog ended the command, as it took longer than 5 s; it "
            "was after its log named iteration 7, and its log is "
            "a/rank_0.log.",
        ),
    )
    def test_describes_a_command(
        self, fields: dict[str, Any], words: str
    ) -> None:
        end = run_pb2.AttemptEnd(of_command=True, **fields)
        self.assertEqual(attempt_end.describe(end, "a"), words)

    def test_says_that_it_was_told_to_stop(self) -> None:
        self.assertEqual(
            attempt_end.describe(run_pb2.AttemptEnd(stop_signal=15)),
            "The supervisor was sent SIGTERM.",
        )

    @parameterized.parameters(
        (None, "before its first progress message"),
        (
            run_pb2.Progress(waiting=True),
            "ready, before its first iteration",
        ),
        (
            run_pb2.Progress(iteration=7, text="lm loss 5.1"),
            "after iteration 7 (lm loss 5.1)",
        ),
        (
            run_pb2.Progress(
                iteration=8, phase=case_pb2.OPTIMIZER_STEP, waiting=True
            ),
            "waiting in OPTIMIZER_STEP of iteration 8",
        ),
    )
    def test_says_how_far_a_rank_was(
        self, progress: run_pb2.Progress | None, words: str
    ) -> None:
        seen = run_pb2.LastSeen(progress=progress)
        self.assertEqual(attempt_end.describe_progress(seen), words)

    def test_a_process_that_nobody_looked_at_was_running(self) -> None:
        self.assertEqual(attempt_end.describe_state(""), "running")
        self.assertEqual(
            attempt_end.describe_state("D"), "in the kernel (state D)"
        )


if __name__ == "__main__":
    absltest.main()
