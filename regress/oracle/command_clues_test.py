"""Tests for what the first wrong number says of lost state."""

from collections.abc import Mapping

from absl.testing import absltest

from regress.oracle import command_record_test_helper as helper
from regress.oracle import verdict_pb2

_Clue = verdict_pb2.Clue


class CommandCluesTest(helper.CommandTestCase):
    def resume_prints_rates(
        self, losses: Mapping[int, str], rates: Mapping[int, str]
    ) -> None:
        """As `resume_prints`, with rates that must be 0.1."""
        self.resume_prints(losses)
        for event in self.record.uninterrupted.ranks[0].events:
            event.printed.metrics["lr"] = "0.1"
        for event in self.record.attempts[1].ranks[0].events:
            event.printed.metrics["lr"] = rates[event.printed.iteration]

    def missing(self) -> list[_Clue.StateKind]:
        """Returns the kinds of state that the checkpoint lacks."""
        return [
            one.not_in_checkpoint
            for one in self.judge().clues
            if one.HasField("not_in_checkpoint")
        ]

    def test_ranks_that_print_nothing_may_have_been_wrong_first(self) -> None:
        self.record.command.ranks = 3
        self.resume_prints({3: "2.0", 4: "1.1"})
        verdict = self.judge()
        self.assertIn(_Clue(silent_ranks=2), verdict.clues)
        # What is wrong at once is the own.
        self.resume_prints({3: "2.1", 4: "1.1"})
        self.assertNotIn(_Clue(silent_ranks=2), self.judge().clues)

    def test_names_the_state_that_the_checkpoint_lacks(self) -> None:
        self.resume_prints({3: "2.1", 4: "1.0"})
        self.assertEqual(
            [one.not_in_checkpoint for one in self.judge().clues[1:]],
            [_Clue.RANDOM_STREAMS],
        )
        # It may be in what was not compared.
        self.record.checkpoint.not_compared.add(what="rank_1.json", why="no")
        self.assertLen(self.judge().clues, 1)

    def test_what_only_sounds_like_a_position_in_the_data(self) -> None:
        names = ["random_states", "scheduler/last_epoch", "__metadata__/format"]
        self.record.checkpoint.names_of_no_floats[:] = names
        self.resume_prints({3: "2.1", 4: "1.0"})
        self.assertEqual(
            [one.not_in_checkpoint for one in self.judge().clues[1:]],
            [_Clue.DATA_POSITION],
        )

    def test_a_rate_points_to_the_scheduler(self) -> None:
        for loss, rate, clues in (
            ("2.0", "0.2", (0, _Clue.DIFFERS_ALONE, _Clue.SCHEDULER)),
            (
                "2.1",
                "0.2",
                (
                    0,
                    _Clue.DIFFERS_WITH_OTHERS,
                    _Clue.RANDOM_STREAMS,
                    _Clue.SCHEDULER,
                ),
            ),
            ("2.1", "0.1", (0, _Clue.RANDOM_STREAMS)),
        ):
            for one, of_loss, of_rate in (
                (self.record.uninterrupted, helper.LOSSES[3], "0.1"),
                (self.record.attempts[1], loss, rate),
            ):
                for event in one.ranks[0].events:
                    if event.printed.iteration == 3:
                        event.printed.metrics["loss"] = of_loss
                        event.printed.metrics["lr"] = of_rate
            self.assertEqual(
                tuple(
                    getattr(clue, str(clue.WhichOneof("kind")))
                    for clue in self.judge().clues
                ),
                clues,
            )

    def summing(self) -> list[int]:
        """Returns of how many ranks the sum may be another one."""
        return [
            one.summing_ranks
            for one in self.judge().clues
            if one.HasField("summing_ranks")
        ]

    def test_three_ranks_may_sum_in_another_order(self) -> None:
        self.resume_prints({3: "2.0", 4: "1.1"})
        for ranks in (1, 2, 3, 4):
            self.record.command.ranks = ranks
            self.assertEqual(self.summing(), [ranks] if ranks > 2 else [])
        # The first loss does not come from a sum.
        self.resume_prints({3: "2.1", 4: "1.1"})
        self.assertEmpty(self.summing())

    def test_a_rate_is_no_sum(self) -> None:
        self.record.command.ranks = 3
        for launch in (*self.record.attempts, self.record.uninterrupted):
            for event in launch.ranks[0].events:
                event.printed.metrics["lr"] = "0.1"
        last = self.record.attempts[1].ranks[0].events[-1]
        last.printed.metrics["lr"] = "0.2"
        self.assertEmpty(self.summing())

    def test_what_is_left_may_be_of_another_sum(self) -> None:
        self.record.command.ranks = 3
        self.differ("w", "1", "2")
        self.assertEqual(self.summing(), [3])

    def test_a_loss_that_is_observed_may_be_of_another_sum(self) -> None:
        helper.observe(self.record)
        self.record.command.ranks = 3
        # Whoever prints is not asked.
        for launch in (*self.record.attempts, self.record.uninterrupted):
            del launch.ranks[0].events[:]
            for rank in (1, 2):
                launch.observed.add().CopyFrom(launch.observed[0])
                launch.observed[rank].rank = rank
        steps = self.record.attempts[1].observed[0].steps
        steps[1].losses[0] = "1.5"
        self.assertEqual(self.summing(), [3])
        steps[1].losses[0] = "1.0"
        steps[1].batches[0] = "another"
        self.assertEmpty(self.summing())
        steps[0].losses[0] = "2.5"
        self.assertEmpty(self.summing())

    def test_only_a_number_points_anywhere(self) -> None:
        self.differ("w", "1", "2")
        verdict = self.judge()
        self.assertEqual(verdict.findings[0].attempt, 1)
        self.assertEmpty(verdict.clues)

    def test_one_rank_may_be_silent(self) -> None:
        self.record.command.ranks = 2
        self.resume_prints({3: "2.0", 4: "9"})
        self.assertIn(_Clue(silent_ranks=1), self.judge().clues)

    def test_only_what_can_be_wrong_so_soon_is_lost(self) -> None:
        self.record.checkpoint.names[:] = ["model/w"]
        self.record.checkpoint.names_of_no_floats[:] = ["version"]
        for losses, rates, kinds in (
            # Neither moments nor rates show before an update.
            (
                {3: "9", 4: "9"},
                {3: "0.1", 4: "0.1"},
                [_Clue.RANDOM_STREAMS, _Clue.DATA_POSITION],
            ),
            (
                {3: "2.0", 4: "9"},
                {3: "0.1", 4: "0.1"},
                [_Clue.OPTIMIZER, _Clue.SCHEDULER],
            ),
            # A rate follows from the scheduler alone.
            (helper.some(3, 4), {3: "0.1", 4: "0.2"}, [_Clue.SCHEDULER]),
            (helper.some(3, 4), {3: "0.2", 4: "0.2"}, [_Clue.SCHEDULER]),
        ):
            self.resume_prints_rates(losses, rates)
            self.assertEqual(self.missing(), kinds)

    def test_moments_are_floats(self) -> None:
        self.resume_prints({3: "2.0", 4: "9"})
        self.record.checkpoint.names[:] = ["exp_avg/w", "epoch"]
        self.record.checkpoint.names_of_no_floats[:] = ["epoch"]
        self.assertEqual(self.missing(), [_Clue.SCHEDULER])


if __name__ == "__main__":
    absltest.main()
