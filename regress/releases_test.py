"""Resumes with the packages of a channel, and checks the release's verdict.

This runs once per channel, without a golden. A release that is new to the
project may use the CUDA device in a place that cpu_patches.py does not cover
yet.
"""

import pathlib

from absl import flags
from absl.testing import absltest

from regress.case import case_pb2, load
from regress.oracle import judge, observations, verdict_pb2
from regress.report import summary
from regress.run import attempt_end, run_pb2
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import watchdog

_CHANNEL = flags.DEFINE_string("channel", "dev", "The channel of the packages.")

_CASE = pathlib.Path("regress/testdata/tiny.textproto")
# Channels whose megatron-core cannot resume its own param groups.
_BROKEN = ("core_0_16", "core_0_17", "core_0_18")
_ADVICE = "set optimizer.param_grouping: RESUMABLE in the case"


def _ignore(attempt: int, rank: int, progress: run_pb2.Progress) -> None:
    del attempt, rank, progress


class ReleasesTest(absltest.TestCase):
    def test_the_release_comes_to_its_verdict(self) -> None:
        verdict = self._verdict(load.load(_CASE))
        broken = _CHANNEL.value in _BROKEN
        self._assert_concluded(verdict, "CRASH" if broken else "PASS")
        if broken:
            self.assertIn("Megatron-LM #4705", summary.known_bug(verdict))
            self.assertIn(_ADVICE, summary.known_bug(verdict))
        else:
            self.assertEmpty(summary.known_bug(verdict))

    def test_the_advice_helps(self) -> None:
        if _CHANNEL.value not in _BROKEN:
            self.skipTest("There is no bug to work around.")
        case = load.load(_CASE)
        case.optimizer.param_grouping = case_pb2.RESUMABLE
        self._assert_concluded(self._verdict(case), "PASS")

    def _verdict(self, case: case_pb2.Case) -> verdict_pb2.Verdict:
        folder = pathlib.Path(self.create_tempdir().full_path)
        scenario = scenario_lib.Scenario(
            case=case,
            hardware="none",
            files=job_files.JobFiles(folder / "work", folder / "outputs"),
            bounds=watchdog.Bounds(start_seconds=120, step_seconds=20),
        )
        with launchers.make("zygote", scenario) as launcher:
            run = scenario.run_resumed(launcher, _ignore)
        interrupted = run.attempts[0]
        self.assertTrue(
            interrupted.HasField("interruption"),
            "This release cannot train on a CPU; if it names the CUDA device "
            "where none of regress/trainer/cpu_patches.py stands in, add one: "
            f"{attempt_end.describe(interrupted.end)}",
        )
        return judge.judge(
            case,
            run,
            None,
            observations.DeclaredTarget(
                hardware="none",
                channel=_CHANNEL.value,
            ),
        )

    def _assert_concluded(
        self, verdict: verdict_pb2.Verdict, conclusion: str
    ) -> None:
        self.assertEqual(
            verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion),
            conclusion,
            summary.summarize(verdict),
        )


if __name__ == "__main__":
    absltest.main()
