"""Tests for the storm that can be run again, in a short one."""

import pathlib
import tempfile

from absl import logging
from absl.testing import absltest

from regress.testing.crash import jobs, premature_commit, seeded_storm

# Of a job. With fewer, none is resumed twice.
_POINTS = 6
# Enough kills to detect a broken trainer.
_ENOUGH_KILLS = 60


class SeededStormTest(absltest.TestCase):
    def start_jobs(self, *trainer_flags: str) -> jobs.Jobs:
        folder = self.enter_context(
            tempfile.TemporaryDirectory(dir=absltest.TEST_TMPDIR.value)
        )
        all_jobs = jobs.Jobs(
            pathlib.Path(folder), jobs.CATALOGUE, trainer_flags
        )
        self.enter_context(all_jobs)
        return all_jobs

    def test_a_seed_kills_at_the_same_points_again(self) -> None:
        all_jobs = self.start_jobs()
        first, again, other = (
            seeded_storm.SeededStorm(all_jobs, seed, _POINTS).run(
                1, logging.info
            )
            for seed in (1, 1, 2)
        )
        # The job was interrupted again after it had resumed.
        self.assertGreater(first.resumes, 1)
        self.assertGreater(len(first.points), 1)
        self.assertEqual(again.points, first.points)
        self.assertEqual(again.attempts, first.attempts)
        self.assertNotEqual(other.points, first.points)
        for report in (first, again, other):
            self.assertEmpty(report.losses)
            self.assertEqual(report.phases.total(), len(report.points))

    def test_a_lost_job_is_lost_again(self) -> None:
        storm, another = (
            seeded_storm.SeededStorm(
                self.start_jobs(premature_commit.FLAG_OF_RANK_0),
                1,
                _POINTS,
            )
            for _ in range(2)
        )
        report = storm.run(_ENOUGH_KILLS, logging.info)
        self.assertNotEmpty(report.losses)
        self.assertEndsWith(
            report.how_it_was_lost()[-1],
            f"killstorm -- --seed=1 --job={report.lost_job}",
        )
        again = another.run(1, logging.info, only=report.lost_job)
        self.assertEqual(again.lost_job, report.lost_job)
        self.assertEqual(
            again.points,
            [one for one in report.points if one.job == report.lost_job],
        )
        self.assertNotEmpty(again.losses)


if __name__ == "__main__":
    absltest.main()
