"""A resume with the packages of a channel: what each release comes to.

Run once for every channel, without a golden. A release that is new to the
project may name the CUDA device where no patch stands in for it yet.
"""

import pathlib

from absl import flags
from absl.testing import absltest

from regress.case import load
from regress.oracle import evidence, judge, verdict_pb2
from regress.run import run_pb2
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import watchdog

_CHANNEL = flags.DEFINE_string("channel", "dev", "The channel of the packages.")

_CASE = pathlib.Path("regress/testdata/tiny.textproto")
# Their releases cannot resume megatron-core's own param groups.
_BROKEN = ("core_0_16", "core_0_17", "core_0_18")


def _ignore(attempt: int, rank: int, progress: run_pb2.Progress) -> None:
    del attempt, rank, progress


class ReleasesTest(absltest.TestCase):
    def test_the_release_comes_to_its_verdict(self) -> None:
        folder = pathlib.Path(self.create_tempdir().full_path)
        case = load.load(_CASE)
        scenario = scenario_lib.Scenario(
            case=case,
            case_path=_CASE,
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
            f"{interrupted.ended_because}",
        )
        verdict = judge.judge(
            case,
            run,
            None,
            evidence.Promise(
                hardware="none",
                channel=_CHANNEL.value,
                repeat_command="unused",
            ),
        )
        broken = _CHANNEL.value in _BROKEN
        self.assertEqual(
            verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion),
            "CRASH" if broken else "PASS",
            verdict.summary,
        )
        if broken:
            self.assertIn("Megatron-LM #4705", verdict.known_bug)
        else:
            self.assertEmpty(verdict.known_bug)


if __name__ == "__main__":
    absltest.main()
