"""Tests for what is asked of a finished job that is launched again."""

from collections.abc import Callable

from absl.testing import absltest, parameterized

from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import summary, wording
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_RELAUNCH = 3
_TRACKER = "iteration that the tracker names"
_FILE = "mp_rank_00_001/model_optim_rng.pt of iteration 6"


def _records() -> record_test_helper.Records:
    case = record_test_helper.small_case()
    case.relaunch_finished = True
    return record_test_helper.passing(case)


def _file(records: record_test_helper.Records) -> run_pb2.StoredFile:
    directory = records.run.checkpoints_after_relaunch
    return directory.checkpoints[1].files[1]


class RelaunchTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    def _assert_found(
        self,
        records: record_test_helper.Records,
        rule: rules.Rule,
        **fields: object,
    ) -> None:
        finding = self.assert_fails(
            records, _Verdict.NOT_RESUMED, rule, **fields
        )
        self.assertEqual(wording.attempt(finding), "the relaunch")
        verdict = records.judge()
        self.assertEqual(verdict.shortfall, _Verdict.NOT_LEFT_ALONE)
        self.assertStartsWith(
            summary.summarize(verdict),
            "a job that had finished was launched again, and did more than to "
            "say so; ",
        )

    def test_a_job_that_does_nothing_passes(self) -> None:
        self.assert_passes(_records())

    def test_is_asked_only_if_the_case_asks(self) -> None:
        names = [
            check.name for check in record_test_helper.passing().judge().checks
        ]
        self.assertNotIn(rules.RELAUNCH_IDLE.name, names)

    def test_finds_that_it_trained(self) -> None:
        records = _records()
        step = record_test_helper.step(records.case, 2, 9)
        records.rank(_RELAUNCH, 2).events.add(step=step)
        self._assert_found(
            records,
            rules.RELAUNCH_IDLE,
            subject="iterations trained",
            rank=2,
            expected="none",
            actual="9",
        )

    def test_finds_that_it_saved(self) -> None:
        records = _records()
        records.rank(_RELAUNCH, 2).events.add(
            checkpoint=run_pb2.CheckpointEvent(
                kind=run_pb2.CheckpointEvent.SAVED, iteration=8
            )
        )
        self._assert_found(
            records,
            rules.RELAUNCH_IDLE,
            subject="checkpoints written",
            rank=2,
            actual="8",
        )

    def test_finds_that_it_did_not_say_so(self) -> None:
        records = _records()
        records.remove_events(_RELAUNCH, 1, "finished")
        self._assert_found(
            records, rules.RELAUNCH_IDLE, rank=1, actual="nothing said"
        )
        records = _records()
        records.rank(_RELAUNCH, 1).events[-1].finished.already = False
        self._assert_found(
            records,
            rules.RELAUNCH_IDLE,
            rank=1,
            expected="before, after iteration 8",
            actual="now, after iteration 8",
        )

    def test_finds_that_it_said_so_twice(self) -> None:
        records = _records()
        said = records.rank(_RELAUNCH, 1).events[-1]
        records.rank(_RELAUNCH, 1).events.append(said)
        self._assert_found(
            records,
            rules.RELAUNCH_IDLE,
            rank=1,
            actual="before, after iteration 8, before, after iteration 8",
        )

    def test_finds_that_it_failed(self) -> None:
        records = _records()
        records.rank(_RELAUNCH, 0).exit.code = 1
        records.run.relaunch.end.CopyFrom(record_test_helper.failed(0))
        self._assert_found(
            records,
            rules.RELAUNCH_IDLE,
            subject="exit status",
            rank=0,
            end=record_test_helper.failed(0),
        )

    def test_finds_that_a_rank_is_missing(self) -> None:
        records = _records()
        del records.run.relaunch.ranks[3]
        self._assert_found(
            records, rules.RELAUNCHED_RANKS, actual="0, 1, 2", subject="ranks"
        )

    def test_whatever_a_relaunch_does_is_no_fault_of_a_resume(self) -> None:
        records = _records()
        del records.run.relaunch.ranks[3]
        records.remove_events(_RELAUNCH, 1, "finished")
        records.run.checkpoints_after_relaunch.ClearField("tracker")
        for rule in (
            rules.RELAUNCHED_RANKS,
            rules.RELAUNCH_IDLE,
            rules.RELAUNCH_DISK,
        ):
            self._assert_found(records, rule)

    @parameterized.parameters(
        ("stored_bytes", 7, "bytes of "),
        ("stored_digest", "another", "SHA-256 of "),
        ("written_at", 7, "time of writing of "),
    )
    def test_finds_a_file_that_changed(self, field, value, subject) -> None:
        records = _records()
        setattr(_file(records), field, value)
        in_ns = ", in ns" if field == "written_at" else ""
        self._assert_found(
            records, rules.RELAUNCH_DISK, subject=f"{subject}{_FILE}{in_ns}"
        )

    @parameterized.parameters(
        (lambda disk: disk.ClearField("tracker"), _TRACKER, "8", "none"),
        (lambda disk: setattr(disk, "tracker", 6), _TRACKER, "8", "6"),
        (
            lambda disk: disk.checkpoints.add(iteration=9),
            "manifest of iteration 9",
            "absent",
            "none",
        ),
        (
            lambda disk: disk.checkpoints.pop(),
            "manifest of iteration 8",
            "8",
            "absent",
        ),
    )
    def test_finds_another_tracker_or_checkpoint(
        self,
        change: Callable[[run_pb2.CheckpointDirectory], object],
        subject: str,
        expected: str,
        actual: str,
    ) -> None:
        records = _records()
        change(records.run.checkpoints_after_relaunch)
        self._assert_found(
            records,
            rules.RELAUNCH_DISK,
            subject=subject,
            expected=expected,
            actual=actual,
        )

    def test_a_process_that_lived_on_is_found(self) -> None:
        records = _records()
        records.rank(_RELAUNCH, 0).events[0].started.pid = 900
        self.assert_fails(
            records,
            _Verdict.NOT_RESUMED,
            rules.FRESH_PROCESSES,
            actual="rank 0 of attempt 2",
        )

    def test_after_a_read_back_that_failed_that_is_the_verdict(self) -> None:
        records = _records()
        records.rank(2, 1).exit.code = 1
        records.run.ClearField("relaunch")
        records.run.ClearField("checkpoints_after_relaunch")
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NOT_SAVED)

    def test_without_a_relaunch_nothing_passes(self) -> None:
        records = _records()
        records.run.ClearField("relaunch")
        self.assertNotEqual(records.judge().conclusion, _Verdict.PASS)


if __name__ == "__main__":
    absltest.main()
