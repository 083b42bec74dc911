"""Tests for making a golden from runs."""

from collections.abc import Callable

from absl.testing import absltest, parameterized

from regress.case import fingerprint
from regress.golden import (
    errors,
    golden_pb2,
    record,
    run_test_helper,
    series,
    state,
)
from regress.run import run_pb2


def _record(*runs: run_pb2.RunRecord) -> golden_pb2.Golden:
    return record.golden_from_runs(
        runs, channel="dev", hardware="none", date="2026-11-23"
    )


def _environments(run: run_pb2.RunRecord) -> list[run_pb2.Environment]:
    return [
        rank.events[0].started.environment for rank in run.attempts[0].ranks
    ]


def _set_name(run: run_pb2.RunRecord) -> None:
    run.case.name = "other"


def _set_fingerprint(run: run_pb2.RunRecord) -> None:
    run.case_fingerprint = "f2"


def _set_corpus(run: run_pb2.RunRecord) -> None:
    run.corpus_digest = "c2"


def _set_torch(run: run_pb2.RunRecord) -> None:
    for environment in _environments(run):
        environment.versions["torch"] = "2.12.0"


def _unset_settings(run: run_pb2.RunRecord) -> None:
    for environment in _environments(run):
        environment.settings.clear()


def _set_device(run: run_pb2.RunRecord) -> None:
    for environment in _environments(run):
        environment.device_name = "Intel Xeon"


class RecordTest(parameterized.TestCase):
    def test_keeps_the_records_of_an_images_packages(self) -> None:
        runs = [run_test_helper.uninterrupted(number) for number in (1, 2)]
        for run in runs:
            run.package_records.update({"torch": "a1", "jinja2": "b2"})
        self.assertEqual(
            dict(_record(*runs).provenance.package_records), {"torch": "a1"}
        )

    def test_keeps_the_case_but_not_its_name_and_interruption(self) -> None:
        runs = [run_test_helper.uninterrupted(number) for number in (1, 2)]
        for run in runs:
            run.case.interruption.add(iteration=3)
        case = _record(*runs).provenance.case
        self.assertEqual(case.training, runs[0].case.training)
        self.assertEqual((case.name, len(case.interruption)), ("", 0))

    def test_makes_a_golden(self) -> None:
        runs = [run_test_helper.uninterrupted(number) for number in (1, 2, 3)]
        golden = _record(*runs)
        self.assertEqual(golden.case_name, "small")
        self.assertEqual(golden.channel, "dev")
        self.assertEqual(golden.hardware, "none")
        self.assertEqual(golden.iterations, run_test_helper.ITERATIONS)
        self.assertEqual(
            golden.provenance,
            golden_pb2.Provenance(
                case_fingerprint="f1",
                case=fingerprint.shaping(runs[0].case),
                corpus_digest="c1",
                environment=_environments(runs[0])[0],
                repeats=3,
                date="2026-11-23",
            ),
        )

    def test_an_interrupted_run_can_be_a_repeat(self) -> None:
        runs = [run_test_helper.uninterrupted(number) for number in (1, 2)]
        interrupted = run_test_helper.interrupted(2, 2, 3)
        golden = record.golden_from_runs(
            runs[:1],
            channel="dev",
            hardware="none",
            date="2026-11-23",
            interrupted=[interrupted],
        )
        self.assertEqual(golden.provenance.repeats, 2)
        self.assertEqual(golden.provenance.interrupted_repeats, 1)
        golden.provenance.ClearField("interrupted_repeats")
        self.assertEqual(golden, _record(*runs))

    def test_a_resume_that_differs_makes_no_golden(self) -> None:
        interrupted = run_test_helper.interrupted(2, 2, 3)
        for event in interrupted.attempts[1].ranks[1].events:
            if event.step.iteration == 5:
                event.step.lm_loss += 1
        with self.assertRaisesRegex(
            errors.GoldenError,
            "^run 1 and run 2, interrupted, differ first in lm loss on rank 1 "
            "at iteration 5,",
        ):
            record.golden_from_runs(
                [run_test_helper.uninterrupted(1)],
                channel="dev",
                hardware="none",
                date="2026-11-23",
                interrupted=[interrupted],
            )

    def test_interrupted_runs_alone_make_no_golden(self) -> None:
        with self.assertRaisesRegex(
            errors.GoldenError, "uninterrupted run, but all 2 were interrupted$"
        ):
            record.golden_from_runs(
                [],
                channel="dev",
                hardware="none",
                date="2026-11-23",
                interrupted=[
                    run_test_helper.interrupted(number, 2, 3)
                    for number in (1, 2)
                ],
            )

    def test_holds_the_runs_series(self) -> None:
        runs = [run_test_helper.uninterrupted(number) for number in (1, 2)]
        recorded = series.from_attempt(runs[1].attempts[0])
        unfolded = series.unfold(_record(*runs).series)
        self.assertEqual(
            {key: t.bits.tolist() for key, t in unfolded.items()},
            {key: t.bits.tolist() for key, t in recorded.items()},
        )

    def test_holds_the_runs_checkpoints(self) -> None:
        runs = [run_test_helper.uninterrupted(number) for number in (1, 2)]
        self.assertEqual(
            [
                (c.iteration, list(c.digests))
                for c in _record(*runs).checkpoints
            ],
            [
                (
                    save,
                    [
                        state.fold(
                            run_test_helper.state_of(runs[1], rank, save)
                        )
                        for rank in range(run_test_helper.RANKS)
                    ],
                )
                for save in run_test_helper.SAVES
            ],
        )

    @parameterized.parameters(0, 1)
    def test_refuses_fewer_than_two_runs(self, count: int) -> None:
        runs = [run_test_helper.uninterrupted()] * count
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            "a golden needs at least 2 runs that agree to the bit, but there "
            f"is {count}",
        ):
            _record(*runs)

    def test_refuses_a_run_twice(self) -> None:
        first, second = map(run_test_helper.uninterrupted, (1, 2))
        for runs, names in (
            ((first, first), "run 1 and run 2"),
            ((first, second, first), "run 1 and run 3"),
            ((first, second, second), "run 2 and run 3"),
        ):
            with (
                self.subTest(names),
                self.assertRaisesWithLiteralMatch(
                    errors.GoldenError,
                    f"{names} are the same run, of the same processes; a run "
                    "always agrees with itself",
                ),
            ):
                _record(*runs)

    @parameterized.parameters(
        (_set_name, "case: small and other"),
        (_set_fingerprint, "case fingerprint: f1 and f2"),
        (_set_corpus, "corpus digest: c1 and c2"),
        (_set_torch, "torch: 2.13.0 and 2.12.0"),
        (_set_device, "device name: AMD EPYC and Intel Xeon"),
        (_unset_settings, "ATEN_CPU_CAPABILITY: avx2 and none"),
    )
    def test_refuses_runs_that_cannot_be_compared(
        self, change: Callable[[run_pb2.RunRecord], None], what: str
    ) -> None:
        first, second = map(run_test_helper.uninterrupted, (1, 2))
        change(second)
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError, f"run 1 and run 2 do not have the same {what}"
        ):
            _record(first, second)

    @parameterized.parameters(0, 6)
    def test_refuses_a_run_with_a_setting_that_was_changed(
        self, iteration: int
    ) -> None:
        first, second = map(run_test_helper.uninterrupted, (1, 2))
        events = run_test_helper.rank_of(second, 1).events
        events[0].started.wanted_settings["ATEN_CPU_CAPABILITY"] = "avx2"
        changed = {"ATEN_CPU_CAPABILITY": "default"}
        if iteration:
            events.add().settings_change.CopyFrom(
                run_pb2.SettingsChange(iteration=iteration, settings=changed)
            )
        else:
            events[0].started.environment.settings.update(changed)
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            "rank 1 of run 2 ran with setting ATEN_CPU_CAPABILITY at default, "
            "expected avx2, as the backend had set it up",
        ):
            _record(first, second)

    def test_refuses_a_run_that_is_not_whole(self) -> None:
        first, second = map(run_test_helper.uninterrupted, (1, 2))
        run_test_helper.rank_of(second, 0).torn = True
        with self.assertRaisesRegex(errors.GoldenError, "^rank 0 of run 2 has"):
            _record(first, second)

    def test_refuses_a_later_run_that_differs(self) -> None:
        runs = [run_test_helper.uninterrupted(number) for number in (1, 2, 3)]
        run_test_helper.step_of(runs[2], 1, 5).grad_norm = 0
        with self.assertRaisesRegex(
            errors.GoldenError,
            "^run 1 and run 3 differ first in grad norm on rank 1 at "
            "iteration 5, ",
        ):
            _record(*runs)


if __name__ == "__main__":
    absltest.main()
