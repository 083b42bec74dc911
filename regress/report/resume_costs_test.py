"""Tests for the words for what a resume took."""

from typing import Any

from absl.testing import absltest

from regress.oracle import verdict_pb2
from regress.report import console, resume_costs

_MIB = 1 << 20


def _verdict(**fields: Any) -> verdict_pb2.Verdict:
    return verdict_pb2.Verdict(
        conclusion=verdict_pb2.Verdict.PASS,
        resume_costs=[
            verdict_pb2.ResumeCost(
                attempt=1,
                rank=rank,
                step_seconds_before=0.25,
                step_seconds=0.5,
                peak_bytes_before=400 * _MIB,
                peak_bytes=(400 + 100 * rank) * _MIB,
                **(fields if rank == 1 else {}),
            )
            for rank in (0, 1)
        ],
    )


class ResumeCostsTest(absltest.TestCase):
    def test_the_rank_that_grew_most_stands_for_the_attempt(self) -> None:
        self.assertEqual(
            list(resume_costs.lines(_verdict())),
            [
                "Attempt 1 beside attempt 0, on rank 1: 0.5 s a step, 0.25 s "
                "before (2.00 times); 500 MiB of resident memory at the peak, "
                "400 MiB before (1.25 times)."
            ],
        )

    def test_a_finding_says_which_rank_and_what_was_expected(self) -> None:
        *_, found = resume_costs.lines(
            _verdict(exceeded_bound=1.1, on_device=True)
        )
        self.assertIn("rank 1 of attempt 1", found)
        self.assertIn("1.25 times", found)
        self.assertIn("at most 1.1 times", found)

    def test_a_passing_console_shows_it(self) -> None:
        shown = console.render(_verdict(exceeded_bound=1.1))
        self.assertStartsWith(shown, "PASS")
        words = " ".join(shown.split())
        for line in resume_costs.lines(_verdict(exceeded_bound=1.1)):
            self.assertIn(line, words)

    def test_what_was_not_recorded_is_left_out(self) -> None:
        cost = verdict_pb2.ResumeCost(
            attempt=1, rank=0, peak_bytes_before=_MIB, peak_bytes=_MIB
        )
        verdict = verdict_pb2.Verdict(resume_costs=[cost])
        self.assertEqual(
            list(resume_costs.lines(verdict)),
            [
                "Attempt 1 beside attempt 0, on rank 0: 1 MiB of resident "
                "memory at the peak, 1 MiB before (1.00 times)."
            ],
        )


if __name__ == "__main__":
    absltest.main()
