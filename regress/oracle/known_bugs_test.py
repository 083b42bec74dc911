"""Tests of naming bugs that others have reported."""

import dataclasses
from unittest import mock

from absl.testing import absltest, parameterized

from regress.oracle import known_bugs, record_test_helper, verdict_pb2
from regress.run import run_pb2

_Digest = run_pb2.StateDigest
_Exit = run_pb2.ExitStatus
_LAST_WORDS = (
    "Rank 2 exited with code 1; its log ends in: ValueError: loaded state dict "
    "contains a parameter group that doesn't match the size of optimizer's "
    "group"
)
_RATES = {"max_lr": ("0.001", "0.005"), "lr": ("0.0005", "0.0025")}


def _records(release: str) -> record_test_helper.Records:
    """Records of a run with a release of megatron-core."""
    records = record_test_helper.passing()
    for attempt in records.run.attempts:
        for rank in attempt.ranks:
            started = rank.events[0].started
            started.environment.versions["megatron-core"] = release
    return records


def _crashed(release: str) -> record_test_helper.Records:
    records = _records(release)
    records.run.attempts[1].ended_because = _LAST_WORDS
    for rank in records.run.attempts[1].ranks:
        del rank.events[2:]
        rank.exit.CopyFrom(_Exit(cause=_Exit.PEER_GONE, signal=9))
    records.rank(1, 2).exit.CopyFrom(_Exit(cause=_Exit.BY_ITSELF, code=1))
    return records


def _piece(group: str, field: str, rate: str) -> run_pb2.Piece:
    return run_pb2.Piece(
        name=f"param group {group}/{field}",
        digest=f"digest of {rate}",
        description=rate,
    )


def _with_rates(
    loaded: dict[str, int], release: str = "0.16.1", suffix: str = ""
) -> record_test_helper.Records:
    """Records in which rank 1 loads for each group the rates of a group.

    Args:
        loaded: For each group, the place of its rates in the table.
        release: Of megatron-core.
        suffix: Of the groups' names.
    """
    records = _records(release)
    saved = {"default": 0, "decoupled": 1}
    for attempt, moment, places in (
        (0, _Digest.SAVED, saved),
        (1, _Digest.LOADED, loaded),
    ):
        state = records.state(attempt, 1, moment)
        # Of a group with a rate that is none of these.
        del state.pieces[4]
        for group, place in places.items():
            for field, rates in _RATES.items():
                state.pieces.append(_piece(group + suffix, field, rates[place]))
    records.record_first_save()
    return records


class LoadErrorTest(parameterized.TestCase):
    @parameterized.parameters("0.16.0", "0.16.1")
    def test_a_load_that_fails_is_known(self, release):
        verdict = _crashed(release).judge()
        self.assertEqual(verdict.conclusion, verdict_pb2.Verdict.CRASH)
        self.assertEqual(verdict.known_bug, known_bugs.KNOWN_BUGS[0].text)
        self.assertIn("#4705", verdict.known_bug)
        self.assertIn("param_grouping: RESUMABLE", verdict.known_bug)

    def test_a_bug_of_another_package_hides_none(self):
        (bug,) = known_bugs.KNOWN_BUGS
        bugs = (dataclasses.replace(bug, package="torch"), bug)
        with mock.patch.object(known_bugs, "KNOWN_BUGS", bugs):
            self.assertEqual(_crashed("0.16.1").judge().known_bug, bug.text)

    @parameterized.parameters("0.15.3", "0.17.0", "")
    def test_another_release_does_not_have_it(self, release):
        self.assertEmpty(_crashed(release).judge().known_bug)

    def test_another_crash_is_not_known(self):
        records = _crashed("0.16.1")
        records.run.attempts[1].ended_because = "Rank 2 failed: no memory."
        self.assertEmpty(records.judge().known_bug)

    @parameterized.parameters(0, 1)
    def test_a_crash_in_a_run_that_lacks_a_rank_is_not_known(self, attempt):
        records = _crashed("0.16.1")
        records.run.attempts[1].ended_because = "Rank 2 failed: no memory."
        del records.run.attempts[attempt].ranks[0]
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, verdict_pb2.Verdict.CRASH)
        self.assertEmpty(verdict.known_bug)

    def test_a_run_that_passes_has_no_bug(self):
        records = _records("0.16.1")
        records.run.attempts[1].ended_because = _LAST_WORDS
        self.assertEmpty(records.judge().known_bug)


class RatesTest(parameterized.TestCase):
    @parameterized.parameters("", " (no weight decay)")
    def test_a_group_with_the_rates_of_the_other_is_known(self, suffix):
        verdict = _with_rates(
            {"default": 1, "decoupled": 1}, suffix=suffix
        ).judge()
        self.assertEqual(
            verdict.conclusion, verdict_pb2.Verdict.RESUME_DIVERGENCE
        )
        self.assertEqual(
            verdict.known_bug,
            f"On rank 1 the param group default{suffix} was loaded with the "
            f"max_lr 0.005 of the param group decoupled{suffix}, and not with "
            f"its own, 0.001. {known_bugs.KNOWN_BUGS[0].text}",
        )
        self.assertEqual(
            verdict.findings[0].subject, f"param group default{suffix}/max_lr"
        )

    def test_another_release_does_not_have_it(self):
        records = _with_rates({"default": 1, "decoupled": 1}, "0.15.3")
        self.assertEmpty(records.judge().known_bug)

    def test_rates_that_were_flattened_are_another_bug(self):
        verdict = _with_rates({"default": 0, "decoupled": 0}).judge()
        self.assertEqual(
            verdict.conclusion, verdict_pb2.Verdict.RESUME_DIVERGENCE
        )
        self.assertEmpty(verdict.known_bug)

    def test_groups_that_have_the_same_rates_do_not_collide(self):
        records = _with_rates({"default": 0, "decoupled": 1})
        for attempt, moment in ((0, _Digest.SAVED), (1, _Digest.LOADED)):
            state = records.state(attempt, 1, moment)
            for piece in state.pieces:
                if piece.name.startswith("param group "):
                    piece.digest = "the same"
        records.record_first_save()
        records.state(1, 1, _Digest.LOADED).pieces[0].digest = "bad"
        verdict = records.judge()
        self.assertEqual(
            verdict.conclusion, verdict_pb2.Verdict.RESUME_DIVERGENCE
        )
        self.assertEmpty(verdict.known_bug)


if __name__ == "__main__":
    absltest.main()
