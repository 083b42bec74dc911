"""Tests for naming bugs that others have reported."""

import dataclasses
from unittest import mock

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import group_collision_test_helper as helper
from regress.oracle import known_bugs, verdict_pb2

_BAD = (
    "0.16",
    "0.16.0",
    "0.16.1",
    "0.17.0",
    "0.17.1",
    "0.18.0",
    "0.18.2",
    # A later patch release of a minor release that never got the fix.
    "0.18.3",
    "0.17.0.post1",
    "0.18.2+cu130",
)
_GOOD = (
    "0.9.0",
    "0.15.3",
    "0.19",
    "0.19.0",
    "0.19.2",
    "0.100.0",
    "1.0",
    # A pre-release may or may not have it.
    "0.17.0rc0",
    "0.19.0rc0",
    "0.17.0.dev1",
    # These are not releases.
    "",
    "0",
    "main",
    "0.17.0 of today",
)
_WHAT = (
    "megatron-core 0.16.0 to 0.18.2 match saved param groups by a key that "
    "leaves out their rates, so groups that differ by their rates alone "
    "collide on load (Megatron-LM #4705, fixed in 0.19.0); "
)


class ReleasesTest(parameterized.TestCase):
    @parameterized.parameters(*_BAD)
    def test_a_release_in_the_range_has_it(self, release):
        run = helper.Run(release)
        run.refuse()
        self.assertIn(_WHAT, run.known_bug())

    @parameterized.parameters(*_GOOD)
    def test_another_release_is_not_said_to_have_it(self, release):
        for break_it in (helper.Run.refuse, helper.Run.exchange):
            run = helper.Run(release)
            break_it(run)
            self.assertEmpty(run.known_bug())

    def test_a_release_may_be_anything(self):
        (bug,) = known_bugs.KNOWN_BUGS
        self.assertFalse(bug.releases.include("9" * 5000))

    def test_a_rank_with_another_release_has_another_trouble(self):
        run = helper.Run("0.17.1")
        run.refuse()
        started = run.records.rank(1, 3).events[0].started
        started.environment.versions["megatron-core"] = "0.19.2"
        self.assertEmpty(run.known_bug())

    def test_a_run_that_reports_no_release_is_not_said_to_have_it(self):
        run = helper.Run()
        for rank in run.records.run.attempts[1].ranks:
            del rank.events[0].started.environment.versions["megatron-core"]
        run.refuse()
        self.assertEmpty(run.known_bug())

    def test_ranges_are_in_order(self):
        for bug in known_bugs.KNOWN_BUGS:
            self.assertTrue(bug.releases.include(bug.releases.first_bad))
            self.assertTrue(bug.releases.include(bug.releases.last_bad))
            self.assertFalse(bug.releases.include(bug.releases.first_good))


class KnownBugTest(absltest.TestCase):
    def test_advises_what_a_case_can_do(self):
        run = helper.Run("0.17.1")
        run.refuse()
        self.assertEndsWith(
            run.known_bug(),
            f". {_WHAT}set optimizer.param_grouping: RESUMABLE in the case, or "
            "use megatron-core 0.19.0 or newer.",
        )
        self.assertEqual(
            run.records.judge().conclusion, verdict_pb2.Verdict.CRASH
        )

    def test_does_not_advise_what_the_case_has(self):
        # The trainer ignored the case's setting.
        run = helper.Run("0.17.1", case_pb2.RESUMABLE)
        run.refuse()
        self.assertEndsWith(
            run.known_bug(), f". {_WHAT}use megatron-core 0.19.0 or newer."
        )

    def test_each_remedy_can_be_taken(self):
        for bug in known_bugs.KNOWN_BUGS:
            for is_taken in bug.remedies.values():
                self.assertFalse(is_taken(case_pb2.Case()))
            self.assertEqual(
                list(bug.describe(case_pb2.Case()).remedies),
                list(bug.remedies),
            )

    def test_a_bug_of_another_package_hides_none(self):
        (bug,) = known_bugs.KNOWN_BUGS
        bugs = (dataclasses.replace(bug, package="torch"), bug)
        run = helper.Run()
        run.refuse()
        with mock.patch.object(known_bugs, "KNOWN_BUGS", bugs):
            self.assertIn(_WHAT, run.known_bug())

    def test_does_not_explain_another_conclusion(self):
        run = helper.Run()
        run.exchange()
        for rank in run.records.run.attempts[1].ranks:
            rank.events[0].started.environment.hardware = "nvidia_h100"
        self.assertEmpty(run.known_bug())
        self.assertEqual(
            run.records.judge().conclusion,
            verdict_pb2.Verdict.WRONG_ENVIRONMENT,
        )

    def test_a_run_that_passes_has_no_bug(self):
        run = helper.Run()
        end = run.records.run.attempts[1].end
        end.failure.rank.last_log_line = helper.REFUSAL
        self.assertEmpty(run.known_bug())
        self.assertEqual(
            run.records.judge().conclusion, verdict_pb2.Verdict.PASS
        )


if __name__ == "__main__":
    absltest.main()
