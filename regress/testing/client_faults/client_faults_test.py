"""Tests that faults in the torchrun client get their verdicts at both depths.

A few of them; `tools/bazelw run //tools/clients:faults` runs all, in Lightning,
too.
"""

import pathlib
import tempfile

from absl.testing import absltest

from regress.case import command_case
from regress.oracle import verdict_pb2
from regress.report import summary
from regress.testing.client_faults import catalogue, expectation, harness
from regress.testing.client_faults import fault as fault_lib

_CASE = "regress/testing/client_faults/testdata/torchrun.textproto"

# State of all ranks, input of one, a number that no log shows, and a crash.
_TRIED = (
    "first_moment_lost",
    "rng_not_restored_on_rank_1",
    "data_off_by_one_batch",
    "weight_bit_flipped",
    "rank_file_bit_flip",
    "crash_in_step",
)


class ClientFaultsTest(absltest.TestCase):
    def test_faults_get_their_verdicts(self) -> None:
        folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        launcher = self.enter_context(harness.forking(folder))
        faults = harness.Harness(command_case.load(_CASE), folder, launcher)
        for depth, verdict in faults.control().verdicts.items():
            with self.subTest("no fault", depth=depth):
                self.assertEqual(
                    verdict.conclusion,
                    verdict_pb2.Verdict.PASS,
                    summary.summarize(verdict),
                )
        expected = expectation.read()
        for name in _TRIED:
            outcome = faults.run(catalogue.BY_NAME[name])
            for depth, verdict in outcome.verdicts.items():
                with self.subTest(name, depth=depth):
                    self.assertEqual(
                        expectation.describe(verdict),
                        expected[name, fault_lib.TORCHRUN, depth],
                        summary.summarize(verdict),
                    )


if __name__ == "__main__":
    absltest.main()
