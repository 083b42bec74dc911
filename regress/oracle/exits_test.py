"""Tests of how the ranks ended."""

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import exits, record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.run import exit_codes, run_pb2

_Exit = run_pb2.ExitStatus
_Verdict = verdict_pb2.Verdict


def _ended(
    attempt: int, statuses: dict[int, run_pb2.ExitStatus]
) -> record_test_helper.Records:
    """Records in which ranks ended otherwise, and wrote less."""
    records = record_test_helper.passing()
    for rank in range(record_test_helper.RANKS):
        record = records.rank(attempt, rank)
        record.exit.CopyFrom(
            statuses.get(rank, _Exit(cause=_Exit.PEER_GONE, signal=9))
        )
        del record.events[4:]
    records.run.attempts[attempt].ended_because = "Rank 2 failed: no memory."
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
            actual=exits.describe(status),
            explanation="Rank 2 failed: no memory.",
        )
        self.assertIn("Rank 2 failed: no memory", records.judge().summary)

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
                explanation="Rank 2 failed: no memory.",
            )

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


class GivenUpTest(verdict_testing.VerdictTestCase, parameterized.TestCase):
    def test_finds_a_damaged_checkpoint(self):
        damaged = _Exit(cause=_Exit.BY_ITSELF, code=3)
        self.assert_fails(
            _ended(1, {2: damaged}),
            _Verdict.DAMAGED_CHECKPOINT,
            rules.CHECKPOINT_READ,
            attempt=1,
            rank=2,
        )

    def test_finds_it_among_peers_that_failed_for_want_of_it(self):
        records = _ended(
            1,
            {
                1: _Exit(cause=_Exit.BY_ITSELF, code=1),
                # The supervisor saw rank 1 first.
                2: _Exit(cause=_Exit.PEER_GONE, code=3),
            },
        )
        self.assert_fails(
            records,
            _Verdict.DAMAGED_CHECKPOINT,
            rules.CHECKPOINT_READ,
            rank=2,
        )

    @parameterized.parameters(0, 1)
    def test_finds_a_rank_without_its_device(self, attempt):
        lost = _Exit(cause=_Exit.BY_ITSELF, code=exit_codes.WRONG_ENVIRONMENT)
        self.assert_fails(
            _ended(attempt, {0: lost}),
            _Verdict.WRONG_ENVIRONMENT,
            rules.DEVICE_FOUND,
            attempt=attempt,
            rank=0,
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
        self.assertEqual(exits.describe(status), text)


if __name__ == "__main__":
    absltest.main()
