"""A short storm. The long one: tools/bazelw run //tools/killstorm."""

import pathlib
import tempfile

from absl import logging
from absl.testing import absltest

from regress.crash import jobs, storm

_KILLS = 12


class StormTest(absltest.TestCase):
    def test_nothing_is_lost(self) -> None:
        folder = self.enter_context(
            tempfile.TemporaryDirectory(dir=absltest.TEST_TMPDIR.value)
        )
        all_jobs = self.enter_context(
            jobs.Jobs(pathlib.Path(folder), jobs.CATALOGUE)
        )
        report = storm.Storm(all_jobs, seed=1).run(_KILLS, logging.info)
        self.assertEmpty(report.losses)
        self.assertGreaterEqual(report.kills, _KILLS)
        self.assertEqual(report.phases.total(), report.kills)
        self.assertGreater(report.jobs, 0)
        self.assertGreater(report.attempts, report.jobs)
        self.assertNotIn("", report.phases)


if __name__ == "__main__":
    absltest.main()
