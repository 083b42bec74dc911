"""Tests that training out of the ordinary is resumed, recorded and passed."""

import pathlib
import tempfile

from absl.testing import absltest, parameterized

from regress.case import load
from regress.oracle import judge, observations, verdict_pb2
from regress.report import summary
from regress.run import run_pb2, state_entry
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import launcher, watchdog
from regress.testing import instrumentation
from regress.testing.faults import legitimate

_TRAINER = "regress.testing.instrumented_trainer"
_MODULE = "regress.testing.faults.legitimate"
_CASE = pathlib.Path("regress/testdata/tiny.textproto")
_TARGET = observations.DeclaredTarget(hardware="none", channel="dev")


def _scenario(folder: pathlib.Path, kind: str) -> scenario_lib.Scenario:
    return scenario_lib.Scenario(
        case=load.load(_CASE),
        hardware="none",
        files=job_files.JobFiles(folder / "work", folder / "outputs"),
        bounds=watchdog.Bounds(start_seconds=120, step_seconds=20),
        trainer_flags=[instrumentation.flag(_MODULE, kind)],
    )


def _loaded(run: run_pb2.RunRecord, rank: int) -> set[state_entry.Key]:
    (state,) = (
        event.state
        for event in run.attempts[1].ranks[rank].events
        if event.state.moment == run_pb2.StateDigest.LOADED
    )
    return {*state_entry.by_key(state)}


def _group_sizes(run: run_pb2.RunRecord, rank: int) -> dict[str, int]:
    step = next(
        event.step
        for event in run.attempts[1].ranks[rank].events
        if event.HasField("step")
    )
    return {group.name: group.elements for group in step.param_groups}


class LegitimateTest(parameterized.TestCase):
    _zygote: launcher.Launcher

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory())
        )
        zygote = launchers.make(
            "zygote",
            _scenario(folder, ""),
            _TRAINER,
            preload_flags=[instrumentation.flag(_MODULE)],
        )
        cls.enterClassContext(zygote)
        cls._zygote = zygote

    def _run(self, kind: str) -> run_pb2.RunRecord:
        folder = pathlib.Path(self.create_tempdir().full_path)
        run = _scenario(folder, kind).run_resumed(
            self._zygote, lambda *unused: None
        )
        verdict = judge.judge(run.case, run, None, _TARGET)
        self.assertEqual(
            verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion),
            "PASS",
            summary.summarize(verdict),
        )
        return run

    def test_all_are_tested(self) -> None:
        tests = {name for name in dir(self) if name.startswith("test_")}
        for kind in legitimate.INSTALLS:
            self.assertIn(f"test_{kind.replace(' ', '_')}", tests)

    def test_frozen_params(self) -> None:
        keys = _loaded(self._run("frozen params"), 1)
        kinds = {key.kind for key in keys if "linear_fc1.weight" in key.name}
        self.assertEqual(kinds, {"param"})
        self.assertIn("exp_avg", {key.kind for key in keys})

    def test_a_frozen_embedding(self) -> None:
        sizes = _group_sizes(self._run("a frozen embedding"), 0)
        self.assertNotIn("decoupled", sizes)

    def test_a_frozen_rank(self) -> None:
        run = self._run("a frozen rank")
        self.assertEqual({*_group_sizes(run, 1).values()}, {0})
        self.assertNotIn("exp_avg", {key.kind for key in _loaded(run, 1)})
        self.assertIn("exp_avg", {key.kind for key in _loaded(run, 2)})

    def test_buffers_and_extra_states(self) -> None:
        keys = _loaded(self._run("buffers and extra states"), 3)
        statistics = {key for key in keys if "statistics" in key.name}
        self.assertEqual(
            {(key.kind, key.name, key.chunk) for key in statistics},
            {
                (kind, name, chunk)
                for kind, name in (
                    ("buffer", "statistics.passes"),
                    ("extra state", "statistics"),
                )
                for chunk in (0, 1)
            },
        )


if __name__ == "__main__":
    absltest.main()
