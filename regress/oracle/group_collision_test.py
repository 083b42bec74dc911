"""Tests for recognizing param groups that collided on load."""

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import group_collision_test_helper as helper
from regress.oracle import record_test_helper, verdict_pb2
from regress.report import summary, wording
from regress.run import run_pb2

_RANKS = range(record_test_helper.RANKS)


class RefusedTest(parameterized.TestCase):
    def test_groups_of_one_key_and_two_sizes_are_refused(self):
        run = helper.Run()
        run.refuse()
        self.assertStartsWith(
            run.known_bug(),
            "On ranks 0, 1, 2, 3 saved param groups have the same key, and not "
            "as many params: on rank 2 the group default has 6 and the group "
            "decoupled 1. megatron-core 0.16.0 ",
        )
        refused = run.records.judge().known_bug.refused
        self.assertEqual(refused.field, "params")

    def test_a_rank_without_a_decoupled_group_is_not_among_them(self):
        run = helper.Run()
        run.remove(1, "param group decoupled/")
        run.refuse()
        self.assertStartsWith(run.known_bug(), "On ranks 0, 2, 3 saved ")

    def test_a_marked_group_does_not_collide(self):
        # dsve-loc #15: a layer was frozen for the resume, so the size of its
        # group differs from the saved one's.
        run = helper.Run(grouping=case_pb2.RESUMABLE)
        run.set_all(helper.DECOUPLED, "is_decoupled_lr", "True")
        run.refuse()
        self.assertEmpty(run.known_bug())

    def test_groups_of_one_size_are_not_refused_for_that(self):
        run = helper.Run()
        run.set_all(helper.DECOUPLED, "params", "6")
        run.refuse()
        self.assertEmpty(run.known_bug())

    @parameterized.parameters(
        "wd_mult", "lr_mult", "is_expert_parallel", "is_decoupled_lr"
    )
    def test_a_group_with_a_key_of_its_own_does_not_collide(self, field):
        run = helper.Run()
        run.set_all(helper.DEFAULT, field, "0.5")
        run.refuse()
        self.assertEmpty(run.known_bug())

    @parameterized.parameters(
        "wd_mult", "lr_mult", "is_expert_parallel", "is_decoupled_lr", "params"
    )
    def test_what_was_not_recorded_does_not_show_it(self, field):
        run = helper.Run()
        for rank in _RANKS:
            run.remove(rank, f"param group decoupled/{field}")
        run.refuse()
        self.assertEmpty(run.known_bug())

    def test_a_rank_that_loads_all_the_same_shows_another_cause(self):
        run = helper.Run()
        loaded = list(run.records.rank(1, 3).events)
        run.refuse()
        run.records.rank(1, 3).events.extend(loaded[2:4])
        self.assertEmpty(run.known_bug())

    def test_a_rank_that_fails_without_a_collision_shows_another_cause(self):
        run = helper.Run()
        # Rank 2 is the one that fails.
        run.remove(2, "param group decoupled/")
        run.refuse()
        self.assertEmpty(run.known_bug())
        # A peer that fails next has only lost its connection to rank 2.
        records = run.records
        records.rank(1, 1).exit.CopyFrom(
            run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF, code=1)
        )
        self.assertEmpty(run.known_bug())
        # A rank that exits early with status 0 has not failed.
        run.records.rank(1, 1).exit.CopyFrom(
            run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF)
        )
        self.assertEmpty(run.known_bug())

    @parameterized.parameters(
        (run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF),),
        (run_pb2.ExitStatus(cause=run_pb2.ExitStatus.PEER_GONE, code=1),),
        (None,),
    )
    def test_the_rank_that_was_refused_must_have_failed(self, status):
        run = helper.Run()
        run.refuse()
        ranks = run.records.run.attempts[1].ranks
        # Another rank fails, so that the verdict is a crash all the same.
        ranks[1].exit.CopyFrom(ranks[2].exit)
        self.assertNotEmpty(run.known_bug())
        run.records.record_first_save()
        if status is None:
            del ranks[2]
        else:
            ranks[2].exit.CopyFrom(status)
        verdict = run.records.judge()
        self.assertEqual(verdict.conclusion, verdict_pb2.Verdict.CRASH)
        self.assertEmpty(summary.known_bug(verdict))

    def test_a_field_without_a_digest_was_not_recorded(self):
        run = helper.Run()
        for rank in _RANKS:
            saved = run.records.state(0, rank, helper.SAVED)
            for entry in saved.entries:
                if entry.name.endswith("/lr_mult"):
                    entry.digest = ""
        run.refuse()
        self.assertEmpty(run.known_bug())

    def test_the_fields_of_the_key_and_the_size_are_enough(self):
        run = helper.Run()
        others = ("max_lr", "min_lr", "lr", "eps", "default_config")
        for rank in _RANKS:
            for group in (helper.DEFAULT, helper.DECOUPLED):
                for field in others:
                    run.remove(rank, f"param group {group}/{field}")
        run.refuse()
        self.assertStartsWith(run.known_bug(), "On ranks 0, 1, 2, 3 saved ")

    def test_another_crash_is_not_it(self):
        run = helper.Run()
        run.refuse()
        end = run.records.run.attempts[1].end
        end.failure.rank.last_log_line = "no memory"
        self.assertEmpty(run.known_bug())

    @parameterized.product(attempt=(0, 1), rank=(0, 2))
    def test_a_run_that_lacks_a_rank_can_be_judged(self, attempt, rank):
        run = helper.Run()
        run.refuse()
        run.records.record_first_save()
        del run.records.run.attempts[attempt].ranks[rank]
        verdict = run.records.judge()
        # Rank 2 is the one that fails.
        self.assertEqual(bool(summary.known_bug(verdict)), rank == 0)


class ExchangedTest(parameterized.TestCase):
    def test_a_group_with_the_fields_of_the_other_is_named(self):
        run = helper.Run()
        run.exchange()
        self.assertStartsWith(
            run.known_bug(),
            "On ranks 0, 1, 2, 3 a param group was loaded with the fields of "
            "another one: on rank 0 the group default has the max_lr 0.005 of "
            "the group decoupled, and not its own, 0.001. megatron-core ",
        )
        verdict = run.records.judge()
        self.assertEqual(
            verdict.conclusion, verdict_pb2.Verdict.RESUME_DIVERGENCE
        )
        self.assertEqual(
            [
                (wording.subject(finding), finding.rank)
                for finding in verdict.findings[:16]
            ],
            [
                (f"param group default/{field}", rank)
                for field in ("default_config", "max_lr", "min_lr", "lr")
                for rank in _RANKS
            ],
        )

    def test_the_first_rank_that_has_both_groups_is_named(self):
        run = helper.Run()
        run.remove(0, "param group decoupled/")
        run.exchange()
        for field, value in (
            ("max_lr", "0.001"),
            ("min_lr", "0.0001"),
            ("lr", "0.0005"),
            ("default_config", "True"),
        ):
            run.set(0, helper.LOADED, helper.DEFAULT, field, value)
        self.assertStartsWith(
            run.known_bug(),
            "On ranks 1, 2, 3 a param group was loaded with the fields of "
            "another one: on rank 1 the group default has the max_lr 0.005 ",
        )

    def test_groups_may_differ_by_another_field_than_a_rate(self):
        run = helper.Run()
        for group in (helper.DEFAULT, helper.DECOUPLED):
            for field in ("max_lr", "min_lr", "lr"):
                run.set_all(group, field, "1.0")
        run.set_all(helper.DEFAULT, "default_config", "False", [helper.LOADED])
        self.assertIn("has the default_config False of", run.known_bug())

    def test_a_field_that_the_other_lacks_is_lost(self):
        run = helper.Run()
        run.exchange()
        for rank in _RANKS:
            run.remove(rank, "param group decoupled/eps")
        self.assertEmpty(run.known_bug())
        for rank in _RANKS:
            run.remove(rank, "param group default/eps", [helper.LOADED])
        self.assertIn("has the max_lr 0.005 of", run.known_bug())

    def test_a_rank_without_a_decoupled_group_has_nothing_to_exchange(self):
        run = helper.Run()
        run.exchange()
        for field, value in (
            ("max_lr", "0.001"),
            ("min_lr", "0.0001"),
            ("lr", "0.0005"),
            ("default_config", "True"),
        ):
            run.set(1, helper.LOADED, helper.DEFAULT, field, value)
        self.assertEmpty(run.known_bug())
        run.remove(1, "param group decoupled/")
        self.assertStartsWith(run.known_bug(), "On ranks 0, 2, 3 a ")
        run.set(1, helper.LOADED, helper.DEFAULT, "max_lr", "0.005")
        self.assertEmpty(run.known_bug())

    def test_a_rank_that_lost_a_group_shows_another_cause(self):
        run = helper.Run()
        run.exchange()
        run.remove(1, "param group decoupled/", [helper.LOADED])
        self.assertEmpty(run.known_bug())

    def test_a_rank_that_recorded_its_load_twice_shows_nothing(self):
        run = helper.Run()
        run.exchange()
        events = run.records.rank(1, 0).events
        (loaded,) = [e for e in events if e.state.moment == helper.LOADED]
        events.add().CopyFrom(loaded)
        self.assertEmpty(run.known_bug())

    @parameterized.parameters("max_lr", "min_lr", "lr", "default_config")
    def test_one_rank_that_kept_a_field_shows_another_cause(self, field):
        run = helper.Run()
        run.exchange()
        run.set(2, helper.LOADED, helper.DEFAULT, field, "its own")
        self.assertEmpty(run.known_bug())

    # Megatron-LM #963: a resume with new learning rates, which happen to equal
    # those of the decoupled group.
    @parameterized.parameters(
        (("max_lr",),), (("max_lr", "lr"),), (("max_lr", "min_lr", "lr"),)
    )
    def test_rates_given_anew_are_not_it(self, rates):
        run = helper.Run()
        run.give_rates(helper.DEFAULT, helper.DECOUPLED, rates)
        self.assertEmpty(run.known_bug())

    def test_rates_that_reach_a_group_with_a_key_of_its_own_are_not_it(self):
        run = helper.Run()
        run.exchange()
        run.give_rates(helper.NO_DECAY, helper.DECOUPLED)
        self.assertEmpty(run.known_bug())

    def test_rates_that_the_scheduler_has_too_are_not_it(self):
        run = helper.Run()
        run.exchange()
        for rank in _RANKS:
            state = run.records.state(1, rank, helper.LOADED)
            for entry in state.entries:
                if entry.name.startswith("scheduler/"):
                    entry.digest = "given anew"
        self.assertEmpty(run.known_bug())

    def test_rates_that_were_flattened_are_another_bug(self):
        run = helper.Run()
        run.give_rates(helper.DECOUPLED, helper.DEFAULT)
        self.assertEmpty(run.known_bug())

    def test_a_marked_group_does_not_collide(self):
        run = helper.Run(grouping=case_pb2.RESUMABLE)
        run.set_all(helper.DECOUPLED, "is_decoupled_lr", "True")
        run.exchange()
        self.assertEmpty(run.known_bug())

    def test_another_divergence_is_not_it(self):
        run = helper.Run()
        run.records.state(1, 1, helper.LOADED).entries[0].digest = "bad"
        self.assertEmpty(run.known_bug())
        self.assertEqual(
            run.records.judge().conclusion,
            verdict_pb2.Verdict.RESUME_DIVERGENCE,
        )


if __name__ == "__main__":
    absltest.main()
