"""Tests for how the ranks ended."""

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import (
    exits,
    observations,
    record_test_helper,
    rules,
    verdict_pb2,
)
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import summary, wording
from regress.run import attempt_end, exit_codes, run_pb2

_Exit = run_pb2.ExitStatus

_Verdict = verdict_pb2.Verdict

_Checkpoint = run_pb2.CheckpointEvent


def _no_memory(attempt: int) -> str:
    """Returns the report's words for the end of attempts made by `_ended`."""
    return attempt_end.describe(
        record_test_helper.failed(2), f"attempt_{attempt}"
    )


def _ended(
    attempt: int, statuses: dict[int, run_pb2.ExitStatus]
) -> record_test_helper.Records:
    """Returns records of an attempt that rank 2 ended with a failure.

    Args:
        attempt: The attempt.
        statuses: How ranks ended; all others are ended because a peer is gone.
    """
    records = record_test_helper.passing()
    for rank in range(record_test_helper.RANKS):
        record = records.rank(attempt, rank)
        record.exit.CopyFrom(
            statuses.get(rank, _Exit(cause=_Exit.PEER_GONE, signal=9))
        )
        del record.events[4:]
    records.run.attempts[attempt].end.CopyFrom(record_test_helper.failed(2))
    return records


class CrashTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    @parameterized.product(
        attempt=(0, 1),
        status=(
            _Exit(cause=_Exit.BY_ITSELF, code=1),
            _Exit(cause=_Exit.BY_ITSELF, signal=11),
            _Exit(cause=_Exit.BY_ITSELF, signal=9),
        ),
    )
    def test_finds_a_rank_that_ended_by_itself(self, attempt, status):
        records = _ended(attempt, {2: status})
        self.assert_fails(
            records,
            _Verdict.CRASH,
            rules.NO_CRASH,
            attempt=attempt,
            rank=2,
            expected="exit code 0, unless somebody ended it",
            actual=wording.exit_status(status),
            explanation=_no_memory(attempt),
        )
        self.assertIn(_no_memory(attempt), summary.summarize(records.judge()))

    def test_a_damaged_checkpoint_without_an_interruption_is_a_crash(self):
        damaged = _Exit(
            cause=_Exit.BY_ITSELF, code=exit_codes.DAMAGED_CHECKPOINT
        )
        self.assert_fails(
            _ended(0, {1: damaged}), _Verdict.CRASH, rules.NO_CRASH, rank=1
        )

    def test_a_crash_by_signal_beside_one_that_gave_up_is_a_crash(self):
        records = _ended(
            1,
            {
                0: _Exit(cause=_Exit.BY_ITSELF, code=3),
                1: _Exit(cause=_Exit.BY_ITSELF, signal=11),
            },
        )
        self.assert_fails(records, _Verdict.CRASH, rules.NO_CRASH, rank=1)

    def test_a_crash_in_a_third_attempt_counts(self):
        records = record_test_helper.passing()
        records.run.attempts.add().CopyFrom(records.run.attempts[1])
        records.run.attempts[2].index = 2
        records.rank(2, 0).exit.code = 1
        self.assert_fails(records, _Verdict.CRASH, rules.NO_CRASH, attempt=2)


class CrashedRankTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    def _crashed(self, ranks: dict[int, int]) -> record_test_helper.Records:
        """Returns records in which ranks crashed in attempt 1.

        Args:
            ranks: The ranks, each with the number of its recorded events.
        """
        crash = _Exit(cause=_Exit.BY_ITSELF, code=1)
        records = _ended(1, dict.fromkeys(ranks, crash))
        for rank, events in ranks.items():
            complete = record_test_helper.passing().rank(1, rank).events
            del records.rank(1, rank).events[:]
            records.rank(1, rank).events.extend(complete[:events])
        return records

    def test_the_rank_that_is_quoted_comes_first(self):
        records = self._crashed({0: 2, 2: 2, 3: 2})
        findings = records.judge().findings
        self.assertEqual([finding.rank for finding in findings], [2, 0, 3])
        self.assertStartsWith(
            summary.summarize(records.judge()),
            "a rank crashed; rank 2 crashed in attempt 1, while it loaded the "
            f"checkpoint of iteration 3; {_no_memory(1)}.",
        )

    def test_ranks_come_in_their_order_if_none_is_quoted(self):
        records = self._crashed({1: 2, 3: 2})
        for end in (
            run_pb2.AttemptEnd(),
            run_pb2.AttemptEnd(stop_signal=15),
        ):
            records.run.attempts[1].end.CopyFrom(end)
            findings = records.judge().findings
            self.assertEqual([finding.rank for finding in findings], [1, 3])

    def test_each_rank_is_counted_once(self):
        # Every rank of both attempts, and the event files of the two ranks
        # that exited.
        self.assert_counts(
            self._crashed({1: 2, 3: 2}), rules.NO_CRASH, 8 + 2, 2
        )

    @parameterized.parameters((2, 4), (6, 5), (7, 6))
    def test_says_in_what_iteration(self, events, iteration):
        verdict = self._crashed({2: events}).judge()
        self.assertEqual(verdict.findings[0].iteration, iteration)
        self.assertEqual(verdict.first_bad_iteration, iteration)

    def test_an_earlier_attempt_comes_first(self):
        records = self._crashed({2: 2})
        records.rank(0, 3).exit.CopyFrom(_Exit(cause=_Exit.BY_ITSELF, code=1))
        findings = records.judge().findings
        self.assertEqual(
            [(finding.attempt, finding.rank) for finding in findings[:2]],
            [(0, 3), (1, 2)],
        )
        self.assertIn(
            "rank 3 crashed in attempt 0", summary.summarize(records.judge())
        )


class ApartTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    """Ranks that resumed from different checkpoints lose each other."""

    def _apart(self, status: run_pb2.ExitStatus) -> record_test_helper.Records:
        records = record_test_helper.passing()
        records.rank(1, 1).exit.CopyFrom(status)
        for event in records.rank(1, 1).events:
            if event.checkpoint.kind == run_pb2.CheckpointEvent.LOADED:
                event.checkpoint.iteration = 2
        return records

    @parameterized.parameters(
        _Exit(cause=_Exit.BY_ITSELF, code=1), _Exit(cause=_Exit.HANG, signal=9)
    )
    def test_that_is_no_resume(self, status):
        records = self._apart(status)
        self.assert_fails(
            records, _Verdict.NOT_RESUMED, rules.CHECKPOINT_LOADED, rank=1
        )
        self.assertEqual(
            records.judge().findings[0].check, rules.CHECKPOINT_LOADED.name
        )

    def test_a_signal_is_a_crash_all_the_same(self):
        self.assert_fails(
            self._apart(_Exit(cause=_Exit.BY_ITSELF, signal=11)),
            _Verdict.CRASH,
            rules.NO_CRASH,
            rank=1,
        )

    def test_a_rank_that_loaded_nothing_may_crash(self):
        records = record_test_helper.passing()
        records.rank(1, 1).exit.code = 1
        del records.rank(1, 1).events[2:]
        self.assert_fails(records, _Verdict.CRASH, rules.NO_CRASH, rank=1)

    def test_a_hang_of_ranks_that_began_alike_is_a_hang(self):
        records = record_test_helper.passing()
        records.rank(1, 1).exit.cause = _Exit.HANG
        self.assert_fails(records, _Verdict.HANG, rules.NO_HANG, rank=1)


class EventFileTest(verdict_testing.VerdictTestCase):
    def test_finds_a_file_that_nobody_tore(self):
        for rank in range(record_test_helper.RANKS):
            records = record_test_helper.passing()
            records.rank(1, rank).torn = True
            self.assert_fails(
                records,
                _Verdict.CRASH,
                rules.NO_CRASH,
                subject="event file",
                attempt=1,
                rank=rank,
                actual="torn in its last event",
                explanation="Only a kill may tear a rank's event file.",
            )

    def test_a_kill_may_tear_a_file(self):
        for cause in (_Exit.INTERRUPTED, _Exit.PEER_GONE):
            records = record_test_helper.passing(
                record_test_helper.small_case(ranks=(0, 1))
            )
            for rank in records.run.attempts[0].ranks:
                rank.torn = rank.exit.cause == cause
            self.assert_passes(records)

    def test_so_may_a_signal_that_is_a_crash_of_its_own(self):
        records = record_test_helper.passing()
        records.rank(1, 2).torn = True
        records.rank(1, 2).exit.signal = 11
        self.assert_fails(records, _Verdict.CRASH, rules.NO_CRASH, rank=2)
        self.assertEqual(
            [
                wording.subject(finding)
                for finding in records.judge().findings
                if finding.check == rules.NO_CRASH.name
            ],
            ["exit status"],
        )


class HungRankTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    def _hung(self, events: tuple[int, int, int, int]):
        """Returns records in which attempt 1 hung.

        Args:
            events: The number of recorded events, by rank.
        """
        hung = _Exit(cause=_Exit.HANG, signal=9, process_state="S")
        records = _ended(1, dict.fromkeys(range(4), hung))
        for rank, count in enumerate(events):
            complete = record_test_helper.passing().rank(1, rank).events
            del records.rank(1, rank).events[:]
            records.rank(1, rank).events.extend(complete[:count])
        return records

    def _first(self, records: record_test_helper.Records) -> tuple[int, int]:
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _Verdict.HANG)
        finding = verdict.findings[0]
        self.assertEqual(verdict.first_bad_iteration, finding.iteration)
        return finding.rank, finding.iteration

    def test_names_the_rank_that_was_stopped(self):
        # The others may have made less progress.
        records = self._hung((6, 6, 7, 6))
        records.rank(1, 2).exit.process_state = "T"
        self.assertEqual(self._first(records), (2, 6))
        self.assertStartsWith(
            summary.summarize(records.judge()),
            "a rank hung; rank 2 was stopped (state T) after iteration 5 of "
            "attempt 1, while the others waited; ",
        )

    def test_names_the_rank_that_got_least_far(self):
        records = self._hung((4, 2, 4, 4))
        self.assertEqual(self._first(records), (1, 4))
        self.assertIn(
            "; rank 1 was running (state S) in attempt 1, while it loaded the "
            "checkpoint of iteration 3, and the others had got further; ",
            summary.summarize(records.judge()),
        )

    @parameterized.parameters(((4, 4, 4, 4),), ((4, 4, 5, 4),), ((4, 4, 5, 5),))
    def test_says_so_if_no_rank_got_less_far(self, events):
        records = self._hung(events)
        self.assertEqual(self._first(records), (0, 4))
        self.assertIn(
            "; rank 0 was running (state S) in attempt 1, before it completed "
            "iteration 4, and no rank had got less far; ",
            summary.summarize(records.judge()),
        )

    def test_says_what_it_can_of_a_rank_that_nobody_looked_at(self):
        records = self._hung((7, 6, 7, 7))
        records.rank(1, 1).exit.process_state = ""
        self.assertEqual(self._first(records), (1, 5))
        self.assertIn(
            "rank 1 was running after iteration 4 of attempt 1",
            summary.summarize(records.judge()),
        )

    def test_a_rank_that_hung_alone_waited_for_nobody(self):
        records = record_test_helper.passing()
        records.rank(1, 3).exit.cause = _Exit.HANG
        self.assertEqual(self._first(records), (3, 0))
        verdict = records.judge()
        self.assertEqual(verdict.findings[0].after_iteration, 8)
        self.assertEqual(verdict.bad_after_iteration, 8)
        self.assertFalse(verdict.HasField("first_bad_iteration"))


class HangTest(verdict_testing.VerdictTestCase):
    def test_finds_a_rank_that_hung(self):
        hung = _Exit(cause=_Exit.HANG, signal=9)
        for attempt in (0, 1):
            records = _ended(attempt, dict.fromkeys(range(4), hung))
            self.assert_fails(
                records,
                _Verdict.HANG,
                rules.NO_HANG,
                attempt=attempt,
                rank=0,
                expected="not HANG",
                actual="HANG, signal 9 (SIGKILL)",
                explanation=_no_memory(attempt),
            )
            self.assert_counts(records, rules.NO_HANG, 8, 4)

    def test_ranks_hang_if_their_peer_was_to_be_stopped(self):
        self.assert_passes(
            record_test_helper.passing(
                record_test_helper.small_case(
                    signal=case_pb2.SIGSTOP, ranks=(1,)
                )
            )
        )

    def test_ranks_hang_before_their_peer_was_stopped(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(signal=case_pb2.SIGSTOP, ranks=(1,))
        )
        records.run.attempts[0].ClearField("interruption")
        self.assert_fails(records, _Verdict.HANG, rules.NO_HANG, rank=0)

    def test_a_hang_after_the_resume_is_not_the_stopped_ranks(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(signal=case_pb2.SIGSTOP)
        )
        records.rank(1, 3).exit.cause = _Exit.HANG
        self.assert_fails(
            records, _Verdict.HANG, rules.NO_HANG, attempt=1, rank=3
        )


class DeserterTest(verdict_testing.VerdictTestCase):
    """Of a rank that exits with 0 while the others still need it."""

    def _records(self, *, first: float = 3, then: float = 4):
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            _keep(records, 1, rank, 6)
            exit_status = records.rank(1, rank).exit
            exit_status.cause = run_pb2.ExitStatus.PEER_GONE
            exit_status.signal = 9
        for rank, code, seconds in ((2, 0, first), (1, 1, then)):
            exit_status = records.rank(1, rank).exit
            exit_status.Clear()
            exit_status.cause = run_pb2.ExitStatus.BY_ITSELF
            exit_status.code = code
            exit_status.seconds = seconds
        records.run.attempts[1].end.CopyFrom(record_test_helper.failed(1))
        return records

    def test_is_the_culprit(self):
        verdict = self._records().judge()
        self.assertEqual(verdict.conclusion, verdict_pb2.Verdict.CRASH)
        self.assertEqual(
            [
                finding.rank
                for finding in verdict.findings
                if finding.check == rules.NO_CRASH.name
            ],
            [2],
        )
        self.assertIn(
            "rank 2 exited with code 0 in attempt 1, in iteration 5",
            summary.summarize(verdict),
        )
        self.assertEqual(
            verdict.findings[0].expected.text, "not before its last iteration"
        )

    def test_is_the_culprit_if_both_ended_at_once(self):
        verdict = self._records(first=3, then=3).judge()
        self.assertEqual(verdict.conclusion, verdict_pb2.Verdict.CRASH)
        self.assertEqual(verdict.findings[0].rank, 2)

    def test_is_the_culprit_of_a_hang(self):
        records = self._records()
        records.rank(1, 1).exit.cause = run_pb2.ExitStatus.HANG
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, verdict_pb2.Verdict.CRASH)
        self.assertEqual(verdict.findings[0].rank, 2)

    def test_is_none_if_another_failed_before(self):
        verdict = self._records(first=4, then=3).judge()
        self.assertEqual(verdict.conclusion, verdict_pb2.Verdict.CRASH)
        self.assertEqual(verdict.findings[0].rank, 1)

    def test_is_the_culprit_if_it_did_not_tell(self):
        # The supervisor saw it late, while the other one told at once.
        records = self._records(first=4, then=3)
        records.rank(1, 1).exit.told = True
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, verdict_pb2.Verdict.CRASH)
        self.assertEqual(verdict.findings[0].rank, 2)

    def test_is_none_if_all_ended_alike(self):
        records = record_test_helper.passing()
        for rank in range(record_test_helper.RANKS):
            _keep(records, 1, rank, 6)
        self.assertEqual(
            records.judge().conclusion, verdict_pb2.Verdict.NOT_RESUMED
        )


class GivenUpTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    def test_finds_a_damaged_checkpoint(self):
        damaged = _Exit(cause=_Exit.BY_ITSELF, code=3)
        self.assert_fails(
            _ended(1, {2: damaged}),
            _Verdict.DAMAGED_CHECKPOINT,
            rules.CHECKPOINT_READ,
            attempt=1,
            rank=2,
            expected="not exit code 3",
            actual="BY_ITSELF, exit code 3",
        )

    def test_finds_it_among_peers_that_failed_without_it(self):
        records = _ended(
            1,
            {
                1: _Exit(cause=_Exit.BY_ITSELF, code=1),
                # The supervisor saw rank 1 end first.
                2: _Exit(cause=_Exit.PEER_GONE, code=3),
            },
        )
        self.assert_fails(
            records,
            _Verdict.DAMAGED_CHECKPOINT,
            rules.CHECKPOINT_READ,
            rank=2,
        )

    def test_the_rank_that_is_quoted_comes_first(self):
        for code, conclusion in (
            (exit_codes.DAMAGED_CHECKPOINT, _Verdict.DAMAGED_CHECKPOINT),
            (exit_codes.WRONG_ENVIRONMENT, _Verdict.WRONG_ENVIRONMENT),
        ):
            gave_up = _Exit(cause=_Exit.BY_ITSELF, code=code)
            records = _ended(1, dict.fromkeys(range(4), gave_up))
            verdict = records.judge()
            self.assertEqual(verdict.conclusion, conclusion)
            self.assertEqual(
                [finding.rank for finding in verdict.findings], [2, 0, 1, 3]
            )

    @parameterized.product(attempt=(0, 1), found=("", "none", "nvidia_l4"))
    def test_finds_a_rank_without_its_device(self, attempt, found):
        lost = _Exit(cause=_Exit.BY_ITSELF, code=exit_codes.WRONG_ENVIRONMENT)
        records = _ended(attempt, {0: lost})
        if found:
            event = run_pb2.Event(
                hardware_found=run_pb2.HardwareFound(hardware=found)
            )
            records.rank(attempt, 0).events.append(event)
        self.assert_fails(
            records,
            _Verdict.WRONG_ENVIRONMENT,
            rules.DEVICE_FOUND,
            attempt=attempt,
            rank=0,
            hardware_found=found,
        )


class DescribeTest(parameterized.TestCase):
    @parameterized.parameters(
        (_Exit(cause=_Exit.BY_ITSELF, code=1), "BY_ITSELF, exit code 1"),
        (
            _Exit(cause=_Exit.INTERRUPTED, signal=9),
            "INTERRUPTED, signal 9 (SIGKILL)",
        ),
        (
            _Exit(cause=_Exit.HANG, signal=9, code=1),
            "HANG, signal 9 (SIGKILL) and exit code 1",
        ),
        (_Exit(signal=99), "CAUSE_UNSPECIFIED, signal 99 (unknown)"),
    )
    def test_says_cause_and_how(self, status, text):
        self.assertEqual(wording.exit_status(status), text)


def _of(
    records: record_test_helper.Records, attempt: int, rank: int
) -> exits.RankProgress:
    observed = observations.gather(
        records.case, records.run, records.golden, record_test_helper.TARGET
    )
    return exits.rank_progress(observed, attempt, rank)


def _keep(
    records: record_test_helper.Records, attempt: int, rank: int, count: int
) -> None:
    """Removes all but a rank's first `count` events."""
    del records.rank(attempt, rank).events[count:]


class RankProgressTest(parameterized.TestCase):
    @parameterized.parameters(
        # The events of attempt 1 are: start, span, load, state, state, step 4,
        # step 5, step 6, state, save, state, step 7, step 8, state, save, end.
        (0, "before it reported its start", 4),
        (2, "while it loaded the checkpoint of iteration 3", 4),
        (3, "before it completed iteration 4", 4),
        (6, "in iteration 5", 5),
        (8, "while it saved the checkpoint of iteration 6", 7),
        (9, "while it saved the checkpoint of iteration 6", 7),
        (10, "in iteration 7", 7),
        (13, "while it saved the checkpoint of iteration 8", 9),
        (15, "after the last iteration, 8", 9),
    )
    def test_says_what_a_resumed_rank_did(self, events, during, iteration):
        records = record_test_helper.passing()
        _keep(records, 1, 2, events)
        where = _of(records, 1, 2)
        self.assertEqual(
            (wording.activity(where.activity), where.iteration),
            (during, iteration),
        )
        # A span does not count as progress.
        self.assertEqual(where.events, max(events - 1, 0))

    @parameterized.parameters(
        (2, "while it looked for a checkpoint", 1),
        (3, "before it completed iteration 1", 1),
        (4, "in iteration 2", 2),
    )
    def test_says_what_a_rank_did_before(self, events, during, iteration):
        records = record_test_helper.passing()
        _keep(records, 0, 0, events)
        where = _of(records, 0, 0)
        self.assertEqual(
            (wording.activity(where.activity), where.iteration),
            (during, iteration),
        )

    def test_says_what_it_had_done(self):
        records = record_test_helper.passing()
        self.assertEqual(_of(records, 1, 0).activity.completed, 8)
        _keep(records, 1, 0, 2)
        where = _of(records, 1, 0)
        self.assertFalse(where.activity.HasField("completed"))

    def test_a_rank_that_is_not_in_the_record_did_nothing(self):
        records = record_test_helper.passing()
        del records.run.attempts[1].ranks[3]
        where = _of(records, 1, 3)
        self.assertEqual(
            wording.activity(where.activity), "before it reported its start"
        )
        self.assertEqual(where.events, 0)


if __name__ == "__main__":
    absltest.main()
