"""Tests for the checks of what a command prints and leaves."""

from absl.testing import absltest

from regress.oracle import check, rules, verdict_pb2
from regress.oracle import command_record_test_helper as helper
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_Fact = verdict_pb2.Fact


class CommandOutputChecksTest(helper.CommandTestCase):
    def launches(self) -> list[run_pb2.Attempt]:
        return [*self.record.attempts, self.record.uninterrupted]

    def test_lists_the_iterations_that_no_attempt_prints(self) -> None:
        helper.interrupt_twice(self.record)
        self.record.attempts[0].CopyFrom(
            helper.attempt(0, helper.some(1), killed=True)
        )
        self.record.attempts[2].CopyFrom(helper.attempt(2, helper.some(3)))
        self.assert_concludes(_Verdict.NOT_RESUMED)
        self.assertEqual(self.counts_of(rules.ITERATIONS_PRINTED), (3, 1))
        (found,) = self.found_by(rules.ITERATIONS_PRINTED)
        self.assertEqual(found.fact.kind, _Fact.ITERATIONS_PRINTED)
        self.assertEqual(found.expected, check.integers([2, 4]))
        self.assertTrue(found.actual.absent)
        # The last one was to go to the end.
        self.assertEqual(found.attempt, 2)

    def test_lists_the_iterations_after_the_end(self) -> None:
        helper.interrupt_twice(self.record)
        self.record.attempts[2].CopyFrom(
            helper.attempt(2, {**helper.some(3, 4), 6: "0.4", 5: "0.5"})
        )
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(self.counts_of(rules.NOTHING_AFTER_THE_END), (1, 1))
        (found,) = self.found_by(rules.NOTHING_AFTER_THE_END)
        self.assertEqual(found.fact.kind, _Fact.ITERATIONS_BEYOND)
        self.assertEqual(found.expected.text, "none after 4")
        self.assertEqual(found.actual, check.integers([5, 6]))
        self.assertEqual((found.attempt, found.iteration), (2, 5))
        self.assertEmpty(self.judge().not_judged)

    def test_an_iteration_may_not_be_printed(self) -> None:
        self.record.uninterrupted.CopyFrom(
            helper.attempt(0, helper.some(1, 2, 4))
        )
        self.resume_prints({**helper.some(3, 4), 5: "0.4"})
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(self.counts_of(rules.NOTHING_AFTER_THE_END), (1, 0))
        self.resume_prints({**helper.some(3, 4), 6: "0.3"})
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)

    def test_one_iteration_does_not_tell_how_many_are_printed(self) -> None:
        self.record.uninterrupted.CopyFrom(helper.attempt(0, helper.some(4)))
        self.resume_prints({**helper.some(3, 4), 9: "0.1"})
        self.assert_concludes(_Verdict.PASS)
        self.assertIsNone(self.counts_of(rules.NOTHING_AFTER_THE_END))

    def test_lists_so_many_iterations(self) -> None:
        self.resume_prints(dict.fromkeys(range(3, 50), ""))
        (beyond,) = self.found_by(rules.NOTHING_AFTER_THE_END)
        self.assertEqual(beyond.actual, check.integers(range(5, 25)))

    def test_says_what_was_printed_instead(self) -> None:
        self.record.uninterrupted.CopyFrom(
            helper.attempt(0, {**helper.LOSSES, 4: "2.0"})
        )
        self.resume_prints({**helper.some(3), 4: "2.5"})
        self.assertEqual(self.counts_of(rules.PRINTED_AFTER), (2, 1))
        (found,) = self.found_by(rules.PRINTED_AFTER)
        self.assertEqual(found.metric.name, "loss")
        self.assertEqual(found.expected.text, "2.0")
        self.assertEqual(found.actual.text, "2.5")
        self.assertEqual((found.attempt, found.iteration), (1, 4))
        self.assertFalse(found.HasField("rank"))
        self.assertEqual((found.absolute, found.relative), (0.5, 0.25))

    def test_lines_of_one_iteration_are_taken_together(self) -> None:
        for attempt, losses in zip(
            self.launches(),
            (("2.0", "1.0"), ("2.0", "1.0"), ("1.0", "2.0")),
            strict=True,
        ):
            events = attempt.ranks[0].events
            for event in list(events):
                if event.printed.iteration == 3:
                    events.remove(event)
            for loss in losses:
                events.add(
                    printed=run_pb2.Printed(iteration=3, metrics={"loss": loss})
                )
        # Their order is free.
        self.assert_concludes(_Verdict.PASS)
        self.record.attempts[1].ranks[0].events[-1].printed.metrics["loss"] = (
            "1.5"
        )
        (found,) = self.found_by(rules.PRINTED_AFTER)
        self.assertEqual(found.expected.text, "1.0 and 2.0")
        self.assertEqual(found.actual.text, "1.5 and 2.0")
        self.assertFalse(found.HasField("absolute"))

    def test_a_line_may_name_its_rank(self) -> None:
        for attempt in self.launches():
            for rank, loss in enumerate(("5.0", "6.0")):
                attempt.ranks[0].events.add(
                    printed=run_pb2.Printed(
                        iteration=3, rank=rank, metrics={"loss": loss}
                    )
                )
        # With the one that names none, three numbers.
        self.assertEqual(self.counts_of(rules.PRINTED_AFTER), (4, 0))
        event = self.record.attempts[1].ranks[0].events[-1]
        event.printed.metrics["loss"] = "7.0"
        (found,) = self.found_by(rules.PRINTED_AFTER)
        self.assertEqual(found.rank, 1)
        self.assertEqual(found.expected.text, "6.0")
        self.assertEqual(found.actual.text, "7.0")

    def test_the_log_comes_before_tensorboard(self) -> None:
        for attempt, norm, loss in zip(
            self.launches(), ("5", "6", "5"), ("7", "8", "7"), strict=True
        ):
            for event in attempt.ranks[0].events:
                if event.printed.iteration == 3:
                    event.printed.metrics["grad_norm"] = norm
            attempt.event_files.add(
                path="runs/events",
                scalars=[run_pb2.Printed(iteration=3, metrics={"loss": loss})],
            )
        self.assertEqual(
            [one.metric.name for one in self.found_by(rules.PRINTED_AFTER)],
            ["grad_norm", "loss in TensorBoard"],
        )

    def test_numbers_of_tensorboard_are_compared(self) -> None:
        first, resumed = self.record.attempts
        # Each launch has another folder, and counts from 0.
        helper.write_numbers(first, "runs/1", {0: "4.01", 1: "3.01", 2: "2.01"})
        helper.write_numbers(resumed, "runs/2", {2: "2.01", 3: "1.01"})
        whole = helper.write_numbers(
            self.record.uninterrupted,
            "runs/3",
            {0: "4.01", 1: "3.01", 2: "2.01", 3: "1.01"},
        )
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)
        compared = {one.name: one.compared for one in verdict.checks}
        self.assertEqual(compared["log of the first attempt"], 6)
        self.assertEqual(compared["log of the resumes"], 4)
        whole.scalars[3].metrics["loss"] = "1.02"
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        (found,) = verdict.findings
        self.assertEqual(found.metric.name, "loss in TensorBoard")
        self.assertEqual((found.iteration, found.attempt), (3, 1))
        # Counted as TensorBoard does, not as the log.
        self.assertEqual(verdict.clues[0].right_after_resume, 1)

    def test_folders_of_tensorboard_are_told_apart(self) -> None:
        for index, attempt in enumerate(
            (*self.record.attempts, self.record.uninterrupted)
        ):
            for of, text in (("train", "1.0"), ("val", "2.0")):
                helper.write_numbers(attempt, f"runs/{index}/{of}", {3: text})
        self.assert_concludes(_Verdict.PASS)
        self.record.attempts[1].event_files[1].scalars[0].metrics["loss"] = "3"
        (found,) = self.judge().findings
        self.assertEqual(found.metric.name, "loss of val in TensorBoard")

    def test_a_loss_comes_before_what_follows_from_it(self) -> None:
        self.resume_prints({3: "2.1", 4: "1.1"})
        for launch in (*self.record.attempts, self.record.uninterrupted):
            for event in launch.ranks[0].events:
                loss = event.printed.metrics["loss"]
                event.printed.metrics["grad_norm"] = loss
        named = [one.metric.name for one in self.judge().findings]
        self.assertEqual(named, ["loss", "grad_norm", "loss", "grad_norm"])

    def test_says_what_another_checkpoint_has(self) -> None:
        self.differ("chunk 1/param/w", "float32[2]", "float32[3]")
        self.differ("param group decoupled/max_lr", "0.1", "")
        self.differ("step", "", "3")
        # Of the three names that both have, one differs.
        self.assertEqual(self.counts_of(rules.END_STATE), (5, 3))
        both, only_a, only_b = self.found_by(rules.END_STATE)
        self.assertEqual(
            both.state_entry,
            verdict_pb2.StateEntryKey(chunk=1, kind="param", name="w"),
        )
        self.assertEqual(
            only_a.state_entry,
            verdict_pb2.StateEntryKey(
                kind="param group", group="decoupled", name="max_lr"
            ),
        )
        self.assertEqual(
            only_b.state_entry, verdict_pb2.StateEntryKey(kind="step")
        )
        for value, name, text in (
            (both.expected, "chunk 1/param/w", "float32[2]"),
            (both.actual, "chunk 1/param/w", "float32[3]"),
            (only_a.expected, "param group decoupled/max_lr", "0.1"),
            (only_b.actual, "step", "3"),
        ):
            self.assertEqual(
                list(value.entries.entries),
                [run_pb2.StateEntry(name=name, description=text)],
            )
        self.assertTrue(only_a.actual.absent)
        self.assertTrue(only_b.expected.absent)
        self.assertEqual(
            [one.attempt for one in (both, only_a, only_b)], [1, 1, 1]
        )

    def test_counts_names_that_the_record_does_not_list(self) -> None:
        self.differ("model/w", "1.0", "2.0")
        self.record.checkpoint.common = 5000
        self.record.checkpoint.in_one = 20
        self.record.checkpoint.differing = 3020
        self.assertEqual(self.counts_of(rules.END_STATE), (5020, 3020))

    def test_counts_elements_of_arrays(self) -> None:
        array = self.differ("model/w", "1.0", "2.0")
        array.elements, array.of_elements, array.ulps = 3, 8, 5
        self.differ("name", "a", "b")
        of_array, of_name = self.found_by(rules.END_STATE)
        self.assertEqual(
            (of_array.differing_elements, of_array.of_elements, of_array.ulps),
            (3, 8, 5),
        )
        self.assertFalse(of_name.HasField("differing_elements"))
        self.assertFalse(of_name.HasField("ulps"))

    def test_names_the_newest_checkpoint(self) -> None:
        for b in ("ckpt_old.pt", ""):
            self.record.checkpoint.b = b
            self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
            (found,) = self.found_by(rules.END_STATE)
            self.assertEqual(found.fact.kind, _Fact.NEWEST_CHECKPOINT)
            self.assertEqual(found.expected.text, "ckpt.pt")
            self.assertEqual(found.actual.text, b)
            self.assertEqual(found.actual.absent, not b)


if __name__ == "__main__":
    absltest.main()
