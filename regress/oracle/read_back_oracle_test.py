"""Tests for what is asked of the checkpoints that a run leaves."""

from absl.testing import absltest

from regress.case import case_pb2
from regress.oracle import record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import summary, wording
from regress.run import run_pb2

_NOT_SAVED = verdict_pb2.Verdict.NOT_SAVED
_LAST = 8
_READ_BACK = 2


def _checkpoint(
    records: record_test_helper.Records, place: int
) -> run_pb2.StoredCheckpoint:
    return records.run.checkpoints.checkpoints[place]


class StoredTest(verdict_testing.VerdictTestCase):
    def _assert_found(
        self, records: record_test_helper.Records, **fields: object
    ) -> None:
        self.assert_fails(
            records, _NOT_SAVED, rules.CHECKPOINTS_STORED, **fields
        )

    def test_finds_a_tracker_that_names_an_older_save(self) -> None:
        records = record_test_helper.passing()
        records.run.checkpoints.tracker = 6
        self._assert_found(
            records,
            subject="iteration that the tracker names",
            expected="8",
            actual="6",
        )

    def test_finds_that_there_is_no_tracker(self) -> None:
        records = record_test_helper.passing()
        records.run.checkpoints.ClearField("tracker")
        self._assert_found(records, expected="8", actual="none")

    def test_finds_a_checkpoint_that_is_gone(self) -> None:
        for place, actual in enumerate(("6, 8", "3, 8", "3, 6")):
            records = record_test_helper.passing()
            del records.run.checkpoints.checkpoints[place]
            self._assert_found(
                records,
                subject="checkpoints on the disk",
                expected="3, 6, 8",
                actual=actual,
            )

    def test_finds_a_checkpoint_that_nobody_was_to_write(self) -> None:
        records = record_test_helper.passing()
        records.run.checkpoints.checkpoints.add(iteration=9)
        self._assert_found(records, expected="3, 6, 8", actual="3, 6, 8, 9")

    def test_a_graceful_stop_leaves_one_of_its_own(self) -> None:
        case = record_test_helper.small_case(
            4, signal=case_pb2.SIGTERM, graceful=True
        )
        records = record_test_helper.passing(case)
        self.assert_passes(records)
        del records.run.checkpoints.checkpoints[1]
        self._assert_found(records, expected="3, 4, 6, 8", actual="3, 6, 8")

    def test_finds_a_label_that_is_not_the_manifests(self) -> None:
        records = record_test_helper.passing()
        _checkpoint(records, 1).manifest_iteration = 3
        self._assert_found(
            records,
            subject="iteration by the manifest",
            after_iteration=6,
            expected="6",
            actual="3",
        )

    def test_finds_that_there_is_no_manifest(self) -> None:
        records = record_test_helper.passing()
        _checkpoint(records, 1).Clear()
        _checkpoint(records, 1).iteration = 6
        self._assert_found(
            records, after_iteration=6, expected="6", actual="none"
        )
        self.assertEqual(
            [
                (wording.subject(finding), wording.actual(finding))
                for finding in records.judge().findings[1:]
            ],
            [("files by the manifest", "none")],
        )

    def test_finds_a_rank_without_a_file(self) -> None:
        records = record_test_helper.passing()
        del _checkpoint(records, 2).files[1]
        self._assert_found(
            records, subject="files by the manifest", after_iteration=_LAST
        )

    def test_finds_a_file_of_another_size_or_content(self) -> None:
        path = "mp_rank_00_002/model_optim_rng.pt"
        for field, value, subject, actual in (
            ("stored_bytes", 7, f"bytes of {path}", "7"),
            ("stored_bytes", 0, f"bytes of {path}", "0"),
            ("stored_bytes", -1, f"bytes of {path}", "none"),
            ("stored_digest", "another", f"SHA-256 of {path}", "another"),
            ("stored_digest", "", f"SHA-256 of {path}", "absent"),
        ):
            records = record_test_helper.passing()
            setattr(_checkpoint(records, 0).files[2], field, value)
            self._assert_found(
                records, subject=subject, after_iteration=3, actual=actual
            )

    def test_finds_that_a_rank_reported_another_size(self) -> None:
        records = record_test_helper.passing()
        self._saved(records, 2, 6).bytes = 7
        self._assert_found(
            records,
            subject="bytes of mp_rank_00_002/model_optim_rng.pt, by its rank",
            rank=2,
            after_iteration=6,
            actual="7",
        )
        self.assertLen(records.judge().findings, 1)

    def test_looks_at_all_ranks_files_if_another_is_listed(self) -> None:
        records = record_test_helper.passing()
        files = _checkpoint(records, 1).files
        others = [*files]
        del files[:]
        files.add(path="another", listed_digest="d", stored_digest="d")
        files.extend(others)
        self._saved(records, 2, 6).bytes = 7
        self.assertEqual(
            [wording.subject(finding) for finding in records.judge().findings],
            [
                "files by the manifest",
                "bytes of mp_rank_00_002/model_optim_rng.pt, by its rank",
            ],
        )

    def test_takes_the_last_report_of_a_file_that_was_saved_twice(
        self,
    ) -> None:
        records = record_test_helper.passing()
        records.rank(0, 2).events.add().checkpoint.CopyFrom(
            run_pb2.CheckpointEvent(
                kind=run_pb2.CheckpointEvent.SAVED, iteration=6, bytes=7
            )
        )
        self._assert_agrees(records)

    def test_a_rank_that_is_not_there_reported_nothing(self) -> None:
        records = record_test_helper.passing()
        del records.run.attempts[0].ranks[2]
        self._assert_agrees(records)

    def _saved(
        self, records: record_test_helper.Records, rank: int, iteration: int
    ) -> run_pb2.CheckpointEvent:
        (found,) = (
            event.checkpoint
            for event in records.rank(1, rank).events
            if event.checkpoint.kind == run_pb2.CheckpointEvent.SAVED
            and event.checkpoint.iteration == iteration
        )
        return found

    def _assert_agrees(self, records: record_test_helper.Records) -> None:
        """Asserts that the disk is as the run says, whatever else is wrong."""
        checks = {check.name: check for check in records.judge().checks}
        self.assertEqual(checks[rules.CHECKPOINTS_STORED.name].differing, 0)

    def test_a_rank_may_have_been_killed_before_it_reported(self) -> None:
        records = record_test_helper.passing()
        self.assert_passes(records)
        for event in list(records.rank(0, 1).events):
            if event.checkpoint.kind == run_pb2.CheckpointEvent.SAVED:
                event.checkpoint.ClearField("bytes")
                event.checkpoint.kind = run_pb2.CheckpointEvent.NONE_FOUND
        # It is another check that misses the report.
        self._assert_agrees(records)


class ReadBackTest(verdict_testing.VerdictTestCase):
    def test_finds_that_nothing_was_read_back(self) -> None:
        records = record_test_helper.passing()
        records.run.ClearField("read_back")
        records.run.ClearField("checkpoints")
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _NOT_SAVED)
        self.assertEqual(
            {
                check.compared
                for check in verdict.checks
                if check.oracle == verdict_pb2.READ_BACK
            },
            {0},
        )

    def test_finds_a_rank_that_is_not_there(self) -> None:
        records = record_test_helper.passing()
        del records.run.read_back.ranks[3]
        self.assert_fails(
            records,
            _NOT_SAVED,
            rules.READ_BACK_RANKS,
            subject="ranks",
            actual="0, 1, 2",
        )

    def test_finds_that_another_attempt_was_read_back(self) -> None:
        records = record_test_helper.passing()
        records.run.read_back.index = 7
        self.assert_fails(
            records,
            _NOT_SAVED,
            rules.READ_BACK_RANKS,
            subject="attempts",
            expected="2",
            actual="7",
        )

    def test_finds_an_event_file_that_nobody_tore(self) -> None:
        records = record_test_helper.passing()
        records.rank(_READ_BACK, 3).torn = True
        self.assert_fails(
            records,
            _NOT_SAVED,
            rules.READ_BACK_EXITS,
            attempt=_READ_BACK,
            rank=3,
            actual="torn in its last event",
        )

    def test_the_entry_nearest_the_cause_is_first(self) -> None:
        records = record_test_helper.passing()
        loaded = records.state(_READ_BACK, 1, run_pb2.StateDigest.LOADED)
        for entry in loaded.entries:
            entry.digest = "x"
        finding = self.assert_fails(
            records, _NOT_SAVED, rules.READ_BACK_STATE, rank=1
        )
        self.assertEqual(wording.subject(finding), "scheduler/num_steps")

    def test_names_the_rank_that_failed_first(self) -> None:
        records = record_test_helper.passing()
        for rank in records.run.read_back.ranks:
            rank.exit.cause = run_pb2.ExitStatus.PEER_GONE
            rank.exit.signal = 9
        failed = records.rank(_READ_BACK, 2)
        failed.exit.Clear()
        failed.exit.cause = run_pb2.ExitStatus.BY_ITSELF
        failed.exit.code = 1
        records.run.read_back.end.CopyFrom(record_test_helper.failed(2))
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _NOT_SAVED)
        first = verdict.findings[0]
        self.assertEqual(first.rank, 2)
        self.assertEqual(wording.attempt(first), "the read-back")
        self.assertIn("no memory", wording.explanation(first))

    def test_finds_that_an_older_checkpoint_was_loaded(self) -> None:
        records = record_test_helper.passing()
        for event in records.rank(_READ_BACK, 1).events:
            if event.HasField("checkpoint"):
                event.checkpoint.iteration = 6
        self.assert_fails(
            records,
            _NOT_SAVED,
            rules.READ_BACK_LOADED,
            rank=1,
            expected="LOADED 8",
            actual="LOADED 6",
        )

    def test_finds_an_entry_that_is_not_as_it_was_saved(self) -> None:
        records = record_test_helper.passing()
        loaded = records.state(_READ_BACK, 1, run_pb2.StateDigest.LOADED)
        loaded.entries[2].digest = "x"
        self.assert_fails(
            records,
            _NOT_SAVED,
            rules.READ_BACK_STATE,
            subject="chunk 0/exp_avg/weight",
            attempt=_READ_BACK,
            rank=1,
            after_iteration=_LAST,
        )

    def test_what_is_found_after_the_last_step_is_in_no_iteration(
        self,
    ) -> None:
        records = record_test_helper.passing()
        loaded = records.state(_READ_BACK, 1, run_pb2.StateDigest.LOADED)
        loaded.entries[2].digest = "x"
        verdict = records.judge()
        self.assertFalse(verdict.HasField("first_bad_iteration"))
        self.assertEqual(verdict.bad_after_iteration, _LAST)
        self.assertIn(
            "of the read-back on rank 1 after iteration 8: expected",
            summary.summarize(verdict),
        )

    def test_says_which_save_a_file_holds(self) -> None:
        records = record_test_helper.passing()
        records.state(_READ_BACK, 1, run_pb2.StateDigest.LOADED).CopyFrom(
            record_test_helper.digest(1, 6, run_pb2.StateDigest.LOADED)
        )
        records.state(
            _READ_BACK, 1, run_pb2.StateDigest.LOADED
        ).iteration = _LAST
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _NOT_SAVED)
        self.assertIn(
            "is of iteration 6", wording.explanation(verdict.findings[0])
        )

    def test_finds_a_state_that_is_not_the_goldens(self) -> None:
        records = record_test_helper.passing()
        saved = [
            event.state
            for event in records.rank(1, 2).events
            if event.state.moment == run_pb2.StateDigest.SAVED
        ][-1]
        loaded = records.state(_READ_BACK, 2, run_pb2.StateDigest.LOADED)
        for state in (saved, loaded):
            state.entries[0].digest = "x"
        checks = {check.name: check for check in records.judge().checks}
        self.assertEqual(checks[rules.READ_BACK_STATE.name].differing, 0)
        self.assertEqual(checks[rules.READ_BACK_GOLDEN.name].differing, 1)

    def test_says_nothing_where_the_run_itself_went_wrong(self) -> None:
        records = record_test_helper.passing()
        records.step(1, 3, 5).lm_loss = 1.5
        records.run.checkpoints.tracker = 6
        verdict = records.judge()
        self.assertEqual(
            verdict.conclusion, verdict_pb2.Verdict.RESUME_DIVERGENCE
        )
        self.assertNotIn(
            verdict_pb2.READ_BACK,
            [finding.oracle for finding in verdict.findings],
        )


if __name__ == "__main__":
    absltest.main()
