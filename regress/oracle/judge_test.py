"""Tests for whole verdicts."""

import copy
import math
from collections.abc import Iterator
from typing import Any

from absl.testing import absltest, parameterized
from google.protobuf import message

from regress.case import case_pb2
from regress.golden import golden_pb2
from regress.oracle import judge, record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import summary
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict

# The fields of a run record and a golden that no check judges on their own.
_NOT_JUDGED = frozenset(
    {
        "Attempt.end",
        "Attempt.launcher",
        "Attempt.seconds",
        "Attempt.began_at",
        "Attempt.started_at",
        "CheckpointEvent.bytes",
        "CheckpointEvent.seconds",
        # It explains a hang; on its own it does not show one.
        "ExitStatus.process_state",
        # They are shown, and fail nothing: see resume_cost.py.
        "ExitStatus.peak_resident_bytes",
        # Whose end came first only tells the culprit.
        "ExitStatus.seconds",
        "ExitStatus.told",
        "ExitStatus.system_seconds",
        "ExitStatus.user_seconds",
        "Finished.peak_device_bytes",
        "InterruptionEvent.seconds",
        # It says whether libraries of the host are accepted: see
        # preconditions_test.py.
        "RunRecord.image_python",
        # The digest covers the type and the shape, too.
        "StateEntry.description",
        # Of a command that is observed, for readers.
        "StateDigest.path",
        # A kill ends attempt 0, and may tear the last event.
        "RankRecord.torn",
        "Span.name",
        "Span.seconds",
        # Only a relaunch must not write: see relaunch_oracle_test.py.
        "StoredFile.written_at",
        # Any pid is fine, as long as no two are the same.
        "Started.pid",
        # A skipped step shows in its norms and rates; that it was skipped only
        # says why. The golden does not say which of its steps were skipped.
        "StepMetrics.updated",
        "StepMetrics.seconds",
        # One of three repeats may be interrupted.
        "Provenance.interrupted_repeats",
        # 1 is the default.
        "Series.first_iteration",
        # A golden's provenance is not judged; differences between environments
        # are only listed.
        "Environment.device_count",
        "Environment.device_name",
        "Environment.hardware",
        "Provenance.date",
        "Provenance.repeats",
    }
)


class PassTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    @parameterized.product(
        iteration=(4, 5, 6, 7),
        phase=(
            case_pb2.FORWARD,
            case_pb2.BACKWARD,
            case_pb2.OPTIMIZER_STEP,
            case_pb2.CHECKPOINT_WRITE,
            case_pb2.BETWEEN_STEPS,
        ),
    )
    def test_passes_wherever_it_was_interrupted(self, iteration, phase):
        self.assert_passes(
            record_test_helper.passing(
                record_test_helper.small_case(iteration, phase)
            )
        )

    @parameterized.product(
        signal=(case_pb2.SIGKILL, case_pb2.SIGTERM, case_pb2.SIGSTOP),
        ranks=((), (0,), (1, 3), (3, 2, 1, 0)),
    )
    def test_passes_however_it_was_interrupted(self, signal, ranks):
        self.assert_passes(
            record_test_helper.passing(
                record_test_helper.small_case(signal=signal, ranks=ranks)
            )
        )

    def test_counts_every_comparison(self):
        # Each rank has 6 metrics of the step and 3 of each param group. The
        # first and the last rank have 2 groups and the data digest, and the
        # last one has the loss.
        an_iteration = 4 * 6 + 6 * 3 + 2 + 1
        self.assertEqual(
            [
                (
                    verdict_pb2.Oracle.Name(check.oracle),
                    check.name,
                    check.compared,
                )
                for check in record_test_helper.passing().judge().checks
            ],
            [
                ("PRECONDITIONS", "the declared case ran", 4),
                # 2 of the golden, and 1 of each rank of each launch.
                ("PRECONDITIONS", "declared hardware and channel", 2 + 12),
                ("PRECONDITIONS", "one environment on all ranks", 12 - 1),
                ("PRECONDITIONS", "settings as they were set up", 12),
                ("PRECONDITIONS", "libraries of the packages", 12),
                ("PRECONDITIONS", "the golden is of this case", 3),
                ("PRECONDITIONS", "the golden is of these packages", 1),
                # Each metric is present and complete; 6 facts of the golden as
                # a whole; param groups on each rank; 3 checkpoints.
                (
                    "PRECONDITIONS",
                    "the golden is complete",
                    2 * an_iteration + 6 + 4 + 3,
                ),
                ("PRECONDITIONS", "every rank found its device", 8),
                # Each rank's exit, and the event files of the ranks that exited
                # on their own.
                ("RESUME_PROOF", "no rank crashed", 8 + 4),
                ("RESUME_PROOF", "no rank hung", 8),
                ("RESUME_PROOF", "attempt 0: every rank reports", 1 + 4),
                ("RESUME_PROOF", "attempt 0: starts from nothing", 4),
                ("RESUME_PROOF", "attempt 0: interrupted as asked", 4),
                ("RESUME_PROOF", "attempt 0: ranks ended as asked", 4),
                ("RESUME_PROOF", "attempt 0: every step once", 4 * 4),
                ("RESUME_PROOF", "attempt 0: every save once", 4),
                ("RESUME_PROOF", "attempt 0: consumed samples", 4 * 4),
                ("RESUME_PROOF", "every attempt is there", 1),
                ("RESUME_PROOF", "attempt 1: every rank reports", 1 + 4),
                ("RESUME_PROOF", "every rank is a new process", 12),
                ("RESUME_PROOF", "attempt 1: checkpoint readable", 4),
                ("RESUME_PROOF", "attempt 1: loaded the newest save", 4),
                ("RESUME_PROOF", "attempt 1: every step once", 5 * 4),
                ("RESUME_PROOF", "attempt 1: every save once", 4),
                ("RESUME_PROOF", "attempt 1: every rank finished", 2 * 4),
                ("RESUME_PROOF", "attempt 1: consumed samples", 5 * 4),
                ("STATE", "loaded state is the saved state", 4 * 7),
                # What attempt 0 saved once, and attempt 1 too.
                ("STATE", "training went on as it had saved", 2 * 4 * 7),
                ("STATE", "training went on as it had loaded", 4 * 7),
                ("REPLAY", "metrics of steps that ran twice", an_iteration),
                ("GOLDEN", "attempt 0: metrics", 4 * an_iteration),
                ("GOLDEN", "attempt 0: saved state", 4),
                ("GOLDEN", "attempt 1: metrics", 5 * an_iteration),
                ("GOLDEN", "attempt 1: saved state", 2 * 4),
                # The tracker and the list; of each checkpoint its iteration and
                # its files, of each file 3 facts.
                (
                    "READ_BACK",
                    "every checkpoint is on the disk",
                    2 + 3 * (2 + 4 * 3),
                ),
                ("READ_BACK", "read-back: every rank reports", 1 + 4 + 1),
                ("READ_BACK", "read-back: every rank ended well", 4 + 4),
                ("READ_BACK", "read-back: loaded the last save", 4),
                ("READ_BACK", "read-back: state as it was saved", 4 * 7),
                ("READ_BACK", "read-back: state of the golden", 4),
            ],
        )

    def test_changes_nothing_that_it_is_given(self):
        records = record_test_helper.passing()
        before = copy.deepcopy(records)
        records.judge()
        self.assertEqual(records, before)

    def test_says_what_passed(self):
        verdict = record_test_helper.passing().judge()
        self.assertStartsWith(
            summary.summarize(verdict),
            "the resumed run is the run that was never interrupted: SIGKILL in "
            "iteration 5 (BACKWARD), resumed from 3, trained to 8; ",
        )


class CauseTest(verdict_testing.VerdictTestCase):
    def test_says_both_causes_of_a_replay_that_differs_from_a_right_state(self):
        records = record_test_helper.passing()
        for iteration in range(4, 9):
            records.step(1, 3, iteration).lm_loss += 0.5
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertEqual(
            summary.summarize(verdict),
            "the resumed run is not the run that was interrupted; lm loss of "
            "attempt 1 on rank 3 at iteration 4: expected 6.6 (0x1.a66666p+2), "
            "actual 7.1 (0x1.c66666p+2); that lm loss is the first to differ "
            "points to the forward pass, as what it reads is right: weights, "
            "or arithmetic; the loaded state is the saved state, and training "
            "went on from both: look for state that is neither saved nor "
            "digested, or for code or a setting that is another after a "
            "resume; or training is not deterministic, and other runs of the "
            "test give other wrong numbers.",
        )

    def test_says_that_drift_is_reproducible_if_the_replay_agrees(self):
        records = record_test_helper.passing()
        for attempt in (0, 1):
            records.step(attempt, 3, 4).lm_loss = 1.0
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NUMERIC_DRIFT)
        self.assertIn(
            "so the numbers are reproducible", summary.summarize(verdict)
        )

    def test_says_how_to_tell_whether_drift_is_reproducible_if_not(self):
        records = record_test_helper.passing()
        records.step(0, 3, 4).lm_loss = 1.0
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NUMERIC_DRIFT)
        self.assertIn(
            "reproducible at all, another run of the test tells",
            summary.summarize(verdict),
        )

    def test_says_why_the_golden_is_stale(self):
        records = record_test_helper.passing()
        records.golden.provenance.corpus_digest = "decade"
        self.assertEqual(
            summary.summarize(records.judge()),
            "the golden was not recorded for what ran; corpus digest: "
            "expected decade, actual c0ffee; The corpus has changed since the "
            "golden was recorded.",
        )

    def test_gives_the_findings_of_the_cause_first(self):
        records = record_test_helper.passing()
        records.step(1, 3, 4).lm_loss = 1.0
        records.state(1, 0, run_pb2.StateDigest.LOADED).entries[0].digest = "x"
        records.go_on_as_recorded()
        findings = records.judge().findings
        self.assertEqual(
            [finding.oracle for finding in findings],
            [verdict_pb2.STATE, verdict_pb2.REPLAY, verdict_pb2.GOLDEN],
        )


class FindingsTest(verdict_testing.VerdictTestCase):
    """Consequences must not drown their cause."""

    def _crashed(self, kept: int) -> record_test_helper.Records:
        """Returns records in which attempt 1 crashed after a few events."""
        records = record_test_helper.passing()
        for rank in records.run.attempts[1].ranks:
            del rank.events[kept:]
            rank.exit.CopyFrom(
                run_pb2.ExitStatus(cause=run_pb2.ExitStatus.PEER_GONE, signal=9)
            )
        records.rank(1, 2).exit.CopyFrom(
            run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF, code=1)
        )
        return records

    def test_a_crash_at_the_start_is_all_there_is(self):
        verdict = self._crashed(2).judge()
        self.assertEqual(verdict.conclusion, _Verdict.CRASH)
        self.assertEqual(
            [(one.check, one.rank) for one in verdict.findings],
            [(rules.NO_CRASH.name, 2)],
        )
        # The verdict table lists the failed checks regardless.
        failed = [check for check in verdict.checks if check.differing]
        self.assertGreater(len(failed), 5)

    def test_a_value_that_was_wrong_before_the_crash_is_kept(self):
        records = self._crashed(7)
        records.step(1, 3, 4).lm_loss = 1.5
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.CRASH)
        self.assertEqual(
            [(one.check, one.rank, one.iteration) for one in verdict.findings],
            [
                (rules.NO_CRASH.name, 2, 6),
                (rules.METRICS_REPEATED.name, 3, 4),
                (rules.RESUMED_METRICS.name, 3, 4),
            ],
        )

    def test_a_state_that_was_wrong_before_the_crash_is_kept(self):
        records = self._crashed(4)
        records.state(1, 0, run_pb2.StateDigest.LOADED).entries[0].digest = "x"
        self.assertEqual(
            [one.check for one in records.judge().findings],
            [rules.NO_CRASH.name, rules.STATE_RESTORED.name],
        )

    def test_what_a_rank_that_is_not_there_lacks_is_left_out(self):
        records = record_test_helper.passing()
        del records.run.attempts[1].ranks[2]
        verdict = records.judge()
        self.assertEqual(
            [one.check for one in verdict.findings], [rules.RESUMED_RANKS.name]
        )
        failed = [check.name for check in verdict.checks if check.differing]
        self.assertIn(rules.RESUMED_METRICS.name, failed)

    def test_what_a_repeat_never_came_to_is_left_out(self):
        records = record_test_helper.passing()
        for attempt in (0, 1):
            records.step(attempt, 3, 4).lm_loss = 1.5
        repeat = records.add_repeat(4)
        del repeat.ranks[3].events[:]
        verdict = records.judge()
        self.assertEqual(
            [(one.check, one.iteration) for one in verdict.findings],
            [
                (rules.REPEAT_RAN.name, 0),
                (rules.INTERRUPTED_METRICS.name, 4),
                (rules.RESUMED_METRICS.name, 4),
            ],
        )
        failed = [check.name for check in verdict.checks if check.differing]
        self.assertIn(rules.REPEAT_METRICS.name, failed)

    def test_other_facts_stay_where_no_rank_ended_before_its_time(self):
        records = record_test_helper.passing()
        records.run.attempts[0].interruption.iteration = 4
        records.run.attempts[1].index = 7
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NOT_INTERRUPTED)
        self.assertEqual(
            [one.check for one in verdict.findings],
            [rules.INTERRUPTION.name, rules.ATTEMPTS.name],
        )

    def test_each_attempt_of_a_chain_has_checks_of_its_own(self):
        case = record_test_helper.small_case()
        case.interruption.add(
            iteration=5, phase=case_pb2.FORWARD, signal=case_pb2.SIGKILL
        )
        verdict = record_test_helper.passing(case).judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        self.assertEqual(
            [
                check.name
                for check in verdict.checks
                if check.name.endswith(rules.RESUMED_STEPS.title)
            ],
            [f"attempt {index}: every step once" for index in range(3)],
        )

    def test_a_check_that_compared_nothing_finds_nothing(self):
        records = record_test_helper.passing()
        del records.run.attempts[1]
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NOT_RESUMED)
        empty = {check.name for check in verdict.checks if not check.compared}
        self.assertIn(rules.FINISHED.name, empty)
        deciding = {
            check.name
            for check in verdict.checks
            if check.conclusion == _Verdict.NOT_RESUMED
        }
        for finding in verdict.findings:
            self.assertNotIn(finding.check, empty - deciding)


class FirstBadIterationTest(verdict_testing.VerdictTestCase):
    def test_a_pass_has_none(self):
        verdict = record_test_helper.passing().judge()
        self.assertFalse(verdict.HasField("first_bad_iteration"))

    def test_a_fact_about_no_iteration_has_none(self):
        records = record_test_helper.passing()
        records.golden.provenance.corpus_digest = "decade"
        records.step(1, 3, 5).lm_loss = 1.5
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.STALE_GOLDEN)
        self.assertFalse(verdict.HasField("first_bad_iteration"))

    def test_it_is_of_the_checks_that_decided(self):
        records = record_test_helper.passing()
        records.step(1, 3, 4).lm_loss = 1.5
        for attempt in (0, 1):
            records.step(attempt, 0, 4).grad_norm = 1.5
        records.step(0, 0, 3).grad_norm = 1.5
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NUMERIC_DRIFT)
        self.assertEqual(verdict.first_bad_iteration, 3)

    def test_it_is_the_first_of_several_checks(self):
        records = record_test_helper.passing()
        records.step(1, 3, 7).lm_loss = 1.5
        records.step(1, 0, 5).consumed_samples = 7
        self.assertEqual(records.judge().first_bad_iteration, 5)

    def test_a_wrong_state_is_of_the_iteration_that_was_loaded(self):
        records = record_test_helper.passing()
        records.state(1, 0, run_pb2.StateDigest.LOADED).entries[0].digest = "x"
        self.assertEqual(records.judge().first_bad_iteration, 3)

    def test_a_value_that_is_absent_throughout_is_bad_from_the_start(self):
        records = record_test_helper.passing()
        for iteration in range(4, 9):
            records.step(1, 0, iteration).ClearField("loss_scale")
        records.step(1, 3, 6).lm_loss = 1.5
        self.assertEqual(records.judge().first_bad_iteration, 4)


class IncompleteTest(verdict_testing.VerdictTestCase):
    def test_nothing_at_all_does_not_pass(self):
        verdict = judge.judge(
            record_test_helper.small_case(),
            run_pb2.RunRecord(),
            golden_pb2.Golden(),
            record_test_helper.TARGET,
        )
        self.assertEqual(verdict.conclusion, _Verdict.WRONG_ENVIRONMENT)

    def test_a_run_without_attempts_was_not_interrupted(self):
        records = record_test_helper.passing()
        del records.run.attempts[:]
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NOT_INTERRUPTED)
        for check in verdict.checks:
            if check.oracle not in (
                verdict_pb2.PRECONDITIONS,
                verdict_pb2.STATE,
                verdict_pb2.GOLDEN,
                verdict_pb2.READ_BACK,
            ):
                self.assertEqual(check.compared, 0, check.name)

    def test_attempts_without_ranks_were_not_interrupted(self):
        records = record_test_helper.passing()
        for attempt in records.run.attempts:
            del attempt.ranks[:]
        self.assert_fails(
            records, _Verdict.NOT_INTERRUPTED, rules.INTERRUPTED_RANKS
        )

    def test_ranks_without_events_were_not_interrupted(self):
        records = record_test_helper.passing()
        for attempt in records.run.attempts:
            for rank in attempt.ranks:
                del rank.events[:]
        self.assert_fails(
            records, _Verdict.NOT_INTERRUPTED, rules.INTERRUPTED_STEPS
        )

    def test_the_same_rows_whatever_was_recorded(self):
        records = record_test_helper.passing()
        rows = [check.name for check in records.judge().checks]
        records.golden.Clear()
        records.run.Clear()
        self.assertEqual([check.name for check in records.judge().checks], rows)


class EveryFieldTest(absltest.TestCase):
    """Changes the fields of passing records, one at a time.

    A new field of a proto must either be judged or be listed in `_NOT_JUDGED`.
    """

    def test_of_the_run_record(self):
        records = record_test_helper.passing()
        # The middle ranks are like the first, with one param group less.
        self._assert_judged(
            records,
            records.run,
            lambda path: "ranks[1]" not in path and "ranks[2]" not in path,
        )

    def test_of_the_golden(self):
        records = record_test_helper.passing()
        self._assert_judged(records, records.golden, lambda path: True)

    def _assert_judged(self, records, root, wanted) -> None:
        tried = 0
        for path, parent, field, index in _leaves(root, ""):
            name = f"{parent.DESCRIPTOR.name}.{field.name}"
            if not wanted(path) or name in _NOT_JUDGED:
                continue
            tried += 1
            value = _get(parent, field, index)
            _set(parent, field, index, _other(value))
            self.assertNotEqual(
                records.judge().conclusion, _Verdict.PASS, f"{path}: {value}"
            )
            _set(parent, field, index, value)
        self.assertGreater(tried, 100)
        self.assertEqual(records.judge().conclusion, _Verdict.PASS)


def _leaves(
    parent: message.Message, path: str
) -> Iterator[tuple[str, message.Message, Any, int | None]]:
    """Yields every scalar that is set or that has no presence.

    Yields:
        The scalar's path, its message and field, and its index if the field is
        repeated.
    """
    for field in parent.DESCRIPTOR.fields:
        value = getattr(parent, field.name)
        here = f"{path}.{field.name}"
        is_map = (
            field.message_type is not None
            and field.message_type.GetOptions().map_entry
        )
        if is_map or field.name == "case":
            # The environment and the case have tests of their own.
            continue
        if field.is_repeated:
            for index, element in enumerate(value):
                if field.message_type:
                    yield from _leaves(element, f"{here}[{index}]")
                else:
                    yield f"{here}[{index}]", parent, field, index
        elif field.has_presence and not parent.HasField(field.name):
            continue
        elif field.message_type:
            yield from _leaves(value, here)
        else:
            yield here, parent, field, None


def _get(parent, field, index) -> object:
    value = getattr(parent, field.name)
    return value if index is None else value[index]


def _set(parent, field, index, value) -> None:
    if index is None:
        setattr(parent, field.name, value)
    else:
        getattr(parent, field.name)[index] = value


def _other(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return math.nextafter(value, math.inf)
    return f"{value}x"


if __name__ == "__main__":
    absltest.main()
