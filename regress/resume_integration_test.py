"""End-to-end tests with real ranks, signals, checkpoints and the oracle.

All scenarios run the tiny case. Their ranks are forked from one zygote, unless
the test says otherwise.
"""

import pathlib
import tempfile
from collections.abc import Callable

import numpy
from absl.testing import absltest, parameterized

from regress.case import case_pb2, load
from regress.golden import files, golden_pb2
from regress.oracle import judge, observations, verdict_pb2
from regress.report import summary, wording
from regress.run import event_stream, run_pb2
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import launcher, watchdog

_CASE_PATH = pathlib.Path("regress/testdata/tiny.textproto")
_GOLDEN_PATH = pathlib.Path("regress/testdata/tiny/dev_none.textproto")
_TARGET = observations.DeclaredTarget(hardware="none", channel="dev")
_Verdict = verdict_pb2.Verdict


def _scenario(
    folder: pathlib.Path, case: case_pb2.Case | None = None
) -> scenario_lib.Scenario:
    case = case or load.load(_CASE_PATH)
    return scenario_lib.Scenario(
        case=case,
        hardware="none",
        files=job_files.JobFiles(folder / "work", folder / "outputs"),
        bounds=watchdog.Bounds(start_seconds=120, step_seconds=20),
    )


def _ignore(attempt: int, rank: int, progress: run_pb2.Progress) -> None:
    del attempt, rank, progress


class ResumeIntegrationTest(parameterized.TestCase):
    _golden: golden_pb2.Golden
    _zygote: launcher.Launcher

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls._golden = files.read(_GOLDEN_PATH)
        folder = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory())
        )
        zygote = launchers.make("zygote", _scenario(folder))
        cls.enterClassContext(zygote)
        cls._zygote = zygote

    def _folder(self) -> pathlib.Path:
        return pathlib.Path(self.create_tempdir().full_path)

    def _run(
        self, change: Callable[[case_pb2.Case], object] = lambda case: None
    ) -> run_pb2.RunRecord:
        """Applies `change` to the case and runs it in forks of the zygote."""
        case = load.load(_CASE_PATH)
        change(case)
        return _scenario(self._folder(), case).run_resumed(
            self._zygote, _ignore
        )

    def _judge(self, run: run_pb2.RunRecord) -> verdict_pb2.Verdict:
        return judge.judge(run.case, run, self._golden, _TARGET)

    def _assert_concluded(
        self, verdict: verdict_pb2.Verdict, conclusion: str
    ) -> None:
        self.assertEqual(
            _Verdict.Conclusion.Name(verdict.conclusion),
            conclusion,
            summary.summarize(verdict),
        )

    # Of all ranks, in ("BACKWARD", 6) and by SIGKILL, is the case as it is,
    # which other tests run.
    @parameterized.parameters(
        ("FORWARD", 6, "SIGTERM", ()),
        ("OPTIMIZER_STEP", 5, "SIGSTOP", ()),
        ("CHECKPOINT_WRITE", 6, "SIGKILL", ()),
        ("BETWEEN_STEPS", 5, "SIGKILL", (1,)),
        ("BETWEEN_STEPS", 6, "SIGKILL", ()),
    )
    def test_a_resume_passes_from_every_phase_and_signal(
        self, phase: str, iteration: int, signal: str, ranks: tuple[int, ...]
    ) -> None:
        def change(case: case_pb2.Case) -> None:
            del case.interruption[:]
            case.interruption.add(
                iteration=iteration, phase=phase, signal=signal, ranks=ranks
            )

        self._assert_concluded(self._judge(self._run(change)), "PASS")

    @parameterized.parameters(
        ("FORWARD", 4, ()),
        ("BACKWARD", 5, (1,)),
        ("OPTIMIZER_STEP", 5, (0, 2)),
        ("CHECKPOINT_WRITE", 6, ()),
        ("BETWEEN_STEPS", 6, (3,)),
    )
    def test_a_graceful_stop_is_resumed_from_where_it_stopped(
        self, phase: str, iteration: int, ranks: tuple[int, ...]
    ) -> None:
        def change(case: case_pb2.Case) -> None:
            del case.interruption[:]
            case.interruption.add(
                iteration=iteration,
                phase=phase,
                signal=case_pb2.SIGTERM,
                ranks=ranks,
                graceful=True,
            )

        run = self._run(change)
        self._assert_concluded(self._judge(run), "PASS")
        for rank in run.attempts[0].ranks:
            self.assertEqual((rank.exit.code, rank.exit.signal), (0, 0))
        # A graceful stop must not end in death by the signal.
        run.attempts[0].ranks[max(ranks, default=0)].exit.signal = 15
        self._assert_concluded(self._judge(run), "NOT_INTERRUPTED")

    @parameterized.parameters(
        ("torn", "zeroed", "pickled"), ("of megatron-core",) * 3
    )
    def test_an_index_that_cannot_be_trusted_is_built_anew(
        self, *damages: str
    ) -> None:
        scenario = _scenario(self._folder())
        run = scenario.run_interrupted(self._zygote, _ignore)
        indices = sorted(scenario.files.data_cache.iterdir())
        for path, damage in zip(indices, damages, strict=True):
            whole = path.read_bytes()
            match damage:
                case "torn":
                    path.write_bytes(whole[: len(whole) // 2])
                case "zeroed":
                    path.write_bytes(whole[:256] + bytes(len(whole) - 256))
                case "pickled":
                    # Exits with 7 if it is unpickled.
                    path.write_bytes(b"cos\n_exit\n(I7\ntR.")
                case _:
                    with open(path, "wb") as file:
                        numpy.save(file, numpy.arange(4))
        scenario.resume(run, self._zygote, _ignore)
        scenario.read_back(run, self._zygote, _ignore)
        self._assert_concluded(self._judge(run), "PASS")
        # Rank 0 replaces them before rank 3 looks.
        for rank, cache in ((0, "UNUSABLE"), (3, "VALID")):
            self.assertEqual(
                [
                    run_pb2.DataIndex.Cache.Name(event.data_index.cache)
                    for event in run.attempts[1].ranks[rank].events
                    if event.HasField("data_index")
                ],
                [cache] * 3,
            )
        log = scenario.files.log(1, 0).read_text()
        self.assertEqual(log.count("It is built anew and replaced."), 3, log)

    def test_ranks_started_from_scratch_give_the_same_bits(self) -> None:
        scenario = _scenario(self._folder())
        with launchers.make("exec", scenario) as exec_launcher:
            run = scenario.run_resumed(exec_launcher, _ignore)
        self.assertEqual(run.attempts[1].launcher, "exec")
        # The same bits as in the golden, which forked ranks recorded.
        self._assert_concluded(self._judge(run), "PASS")

    def test_a_job_that_has_finished_does_nothing_more(self) -> None:
        scenario = _scenario(self._folder(), load.load(_CASE_PATH))
        record = scenario.run_uninterrupted(self._zygote, _ignore)
        again = scenario.run_attempt(1, self._zygote, _ignore)
        last = record.case.training.iterations
        for rank in again.ranks:
            self.assertEqual((rank.exit.code, rank.exit.signal), (0, 0))
            kinds = [event.WhichOneof("kind") for event in rank.events]
            self.assertNotIn("step", kinds)
            self.assertEqual(kinds.count("checkpoint"), 1)
            finished = [
                event.finished.iteration
                for event in rank.events
                if event.HasField("finished")
            ]
            self.assertEqual(finished, [last])
            self.assertIn(
                "The job has finished",
                scenario.files.log(1, rank.rank).read_text(),
            )

    def test_a_resume_passes_with_a_marked_decoupled_group(self) -> None:
        def change(case: case_pb2.Case) -> None:
            case.optimizer.param_grouping = case_pb2.RESUMABLE

        verdict = self._judge(self._run(change))
        # The golden was recorded with megatron-core's own grouping, so only the
        # case and the mark in the saved state differ.
        self._assert_concluded(verdict, "STALE_GOLDEN")
        self.assertEqual(
            [check.name for check in verdict.checks if check.differing],
            [
                "the golden is of this case",
                "attempt 0: saved state",
                "attempt 1: saved state",
                "read-back: state of the golden",
            ],
        )

    def test_events_of_an_earlier_run_are_not_taken_for_its_own(self) -> None:
        scenario = _scenario(self._folder())
        stale = scenario.files.events(0, 2)
        with event_stream.Writer(stale) as writer:
            writer.write(run_pb2.Event(step=run_pb2.StepMetrics(iteration=1)))
        run = scenario.run_resumed(self._zygote, _ignore)
        self._assert_concluded(self._judge(run), "PASS")

    def test_one_bit_of_a_metric_is_found(self) -> None:
        run = self._run()
        self._assert_concluded(self._judge(run), "PASS")
        (step,) = (
            event.step
            for event in run.attempts[1].ranks[3].events
            if event.step.iteration == 5
        )
        step.lm_loss = float(
            numpy.nextafter(numpy.float32(step.lm_loss), numpy.float32(99))
        )
        verdict = self._judge(run)
        self._assert_concluded(verdict, "RESUME_DIVERGENCE")
        finding = verdict.findings[0]
        self.assertEqual(
            (
                wording.subject(finding),
                finding.rank,
                finding.iteration,
                finding.ulps,
            ),
            ("lm loss", 3, 5, 1),
        )


if __name__ == "__main__":
    absltest.main()
