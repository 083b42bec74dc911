"""Tests for the records that the oracle is timed with."""

from absl.testing import absltest

from regress.oracle import judge, verdict_pb2
from regress.report import summary
from tools.bench import synthetic_records


class SyntheticRecordsTest(absltest.TestCase):
    def test_pass_so_that_every_check_is_timed(self) -> None:
        records = synthetic_records.make(100)
        verdict = judge.judge(
            records.case,
            records.run,
            records.golden,
            synthetic_records.TARGET,
        )
        self.assertEqual(
            verdict.conclusion,
            verdict_pb2.Verdict.PASS,
            summary.summarize(verdict),
        )


if __name__ == "__main__":
    absltest.main()
