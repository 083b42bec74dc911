"""A short kill storm. The long one: tools/bazelw run //tools/killstorm."""

import pathlib
import tempfile

from absl import logging
from absl.testing import absltest

from regress.testing.crash import jobs, kill_storm, premature_commit

_KILLS = 12
# Enough kills to detect a broken trainer.
_ENOUGH_KILLS = 60


class KillStormTest(absltest.TestCase):
    def run_kill_storm(
        self, kills: int, *trainer_flags: str
    ) -> kill_storm.Report:
        folder = self.enter_context(
            tempfile.TemporaryDirectory(dir=absltest.TEST_TMPDIR.value)
        )
        all_jobs = self.enter_context(
            jobs.Jobs(pathlib.Path(folder), jobs.CATALOGUE, trainer_flags)
        )
        return kill_storm.KillStorm(all_jobs, seed=1).run(kills, logging.info)

    def test_finds_a_checkpoint_that_is_called_complete_too_early(self) -> None:
        report = self.run_kill_storm(_ENOUGH_KILLS, premature_commit.FLAG)
        self.assertNotEmpty(report.losses)
        self.assertLess(report.kills, _ENOUGH_KILLS)

    def test_nothing_is_lost(self) -> None:
        report = self.run_kill_storm(_KILLS)
        self.assertEmpty(report.losses)
        self.assertGreaterEqual(report.kills, _KILLS)
        self.assertEqual(report.phases.total(), report.kills)
        self.assertGreater(report.jobs, 0)
        self.assertGreater(report.attempts, report.jobs)
        self.assertNotIn("", report.phases)


if __name__ == "__main__":
    absltest.main()
