"""Tests for the comparison of the states of a command."""

from absl.testing import absltest, parameterized

from regress.oracle import (
    observed_record_test_helper as observed_testing,
)
from regress.oracle import rules, verdict_pb2
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_NotJudged = verdict_pb2.NotJudged
_State = run_pb2.StateDigest


class UnsteadyEntriesTest(observed_testing.ObservedTestCase):
    def test_entries_that_differ_from_the_beginning_are_not_judged(
        self,
    ) -> None:
        saved = self.state(self.first, 1, _State.SAVED, observed_testing.SAVED)
        self.change_entries(saved, "rng/torch")
        # Neither are they then on the other rank, whenever it is.
        for state in self.resumed.observed[0].states:
            self.change_entries(state, "rng/torch")
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(
            _NotJudged(kind=_NotJudged.UNSTEADY_ENTRY, what="rng/torch")
        )
        for rule, compared in (
            (rules.OBSERVED_LOADED, 2 * 4),
            (rules.OBSERVED_BEGUN, 2 * 4),
            (rules.OBSERVED_SAVES, 2 * 2 * 4),
        ):
            self.assertEqual(self.counts_of(rule), (compared, 0), rule.name)

    def test_they_are_listed_in_order_up_to_a_bound(self) -> None:
        names = [f"rng/{index:02}" for index in range(25)]
        for launch, digest in ((self.first, "one"), (self.whole, "two")):
            saved = self.state(launch, 0, _State.SAVED, observed_testing.SAVED)
            for name in reversed(names):
                saved.entries.add(name=name, digest=digest)
        self.assertEqual(
            [
                one.what
                for one in self.judge().not_judged
                if one.kind == _NotJudged.UNSTEADY_ENTRY
            ],
            names[:20],
        )

    def test_an_entry_that_one_run_does_not_save_is_none_of_them(self) -> None:
        saved = self.state(self.whole, 0, _State.SAVED, observed_testing.SAVED)
        del saved.entries[0]
        saved = self.state(self.first, 1, _State.SAVED, observed_testing.SAVED)
        del saved.entries[0]
        self.assert_not_judged()

    def test_saves_that_only_one_run_has_tell_of_none(self) -> None:
        saved = self.state(self.whole, 0, _State.SAVED, observed_testing.SAVED)
        saved.iteration = 1
        self.change_entries(saved, "rng/torch")
        self.assert_not_judged()
        del self.whole.observed[0]
        self.assert_not_judged()


class NotComparedTest(observed_testing.ObservedTestCase):
    def test_entries_that_the_case_names_are_not_compared(self) -> None:
        self.record.command.not_compared.extend(["^param/", "torch$"])
        for state in self.resumed.observed[0].states:
            self.change_entries(state, "param/w", "rng/torch")
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged()
        for rule, compared in (
            (rules.OBSERVED_LOADED, 2 * 2),
            (rules.OBSERVED_BEGUN, 2 * 2),
            (rules.OBSERVED_SAVES, 2 * 2 * 2),
        ):
            self.assertEqual(self.counts_of(rule), (compared, 0), rule.name)

    def test_all_others_are(self) -> None:
        self.record.command.not_compared.extend(["^param/", "torch$"])
        state = self.state(self.resumed, 0, _State.SAVED, 4)
        self.change_entries(state, "exp_avg/w")
        (found,) = self.found_by(rules.OBSERVED_SAVES)
        self.assertEqual(found.state_entry.kind, "exp_avg")

    def test_a_file_of_which_nothing_is_compared_is_no_fault(self) -> None:
        for launch, moment, at, time in (
            (self.first, _State.SAVED, observed_testing.SAVED, "12:02"),
            (self.resumed, _State.LOADED, observed_testing.SAVED, "12:02"),
            (self.resumed, _State.SAVED, 4, "12:04"),
            (self.whole, _State.SAVED, observed_testing.SAVED, "13:02"),
            (self.whole, _State.SAVED, 4, "13:04"),
        ):
            state = launch.observed[0].states.add(
                moment=moment, iteration=at, path="time.json"
            )
            state.entries.add(name="time", digest=time)
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(
            _NotJudged(kind=_NotJudged.UNSTEADY_ENTRY, what="time")
        )
        self.assertEqual(self.counts_of(rules.OBSERVED_LOADED), (10, 0))
        self.assertEqual(self.counts_of(rules.OBSERVED_SAVES), (20, 0))

    def test_nor_is_it_if_the_case_leaves_all_out(self) -> None:
        self.record.command.not_compared.append("")
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(_NotJudged(kind=_NotJudged.STATE_AS_BEGUN))
        for rule in (
            rules.OBSERVED_LOADED,
            rules.OBSERVED_BEGUN,
            rules.OBSERVED_SAVES,
        ):
            self.assertIsNone(self.counts_of(rule), rule.name)

    def test_a_file_that_one_run_leaves_empty_is(self) -> None:
        del self.state(self.resumed, 0, _State.SAVED, 4).entries[:]
        self.assertEqual(self.counts_of(rules.OBSERVED_SAVES), (20, 5))
        del self.state(self.whole, 1, _State.SAVED, 6).entries[:]
        self.assertEqual(self.counts_of(rules.OBSERVED_SAVES), (21, 11))
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)


class LoadedTest(observed_testing.ObservedTestCase):
    def test_names_what_is_not_as_it_was_saved(self) -> None:
        self.interrupt_again()
        loaded = self.state(self.record.attempts[2], 1, _State.LOADED, 4)
        self.change_entries(loaded, "param/w")
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(self.counts_of(rules.OBSERVED_LOADED), (20, 1))
        (found,) = self.found_by(rules.OBSERVED_LOADED)
        self.assertEqual(
            (found.state_entry.kind, found.state_entry.name), ("param", "w")
        )
        self.assertEqual(observed_testing.place(found), (2, 1, 4))
        self.assertEqual(
            found.expected.entries.entries[0].digest, "param/w 1 4"
        )
        self.assertEqual(found.actual.entries.entries[0].digest, "other")
        # It says what is wrong, so that no repeat is needed.
        self.assertFalse(self.judge().HasField("repeat_through"))

    def test_the_kind_that_is_closest_to_the_cause_comes_first(self) -> None:
        self.change_entries(
            self.state(self.resumed, 0, _State.LOADED, observed_testing.SAVED),
            *observed_testing.ENTRIES,
        )
        self.assertEqual(
            [
                one.state_entry.kind
                for one in self.found_by(rules.OBSERVED_LOADED)
            ],
            ["iteration", "param", "param", "exp_avg", "rng"],
        )

    def test_what_the_first_attempt_loads_is_not_compared(self) -> None:
        loaded = observed_testing.make_state(_State.LOADED, 0, 1)
        self.first.observed[0].states.append(loaded)
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged()
        self.assertEqual(self.counts_of(rules.OBSERVED_LOADED), (10, 0))

    def test_all_that_a_rank_loads_is_compared(self) -> None:
        states = self.resumed.observed[0].states
        # A checkpoint of two files, and the second one after a save.
        states.append(states[0])
        self.change_entries(states[-1], "param/w")
        self.assertEqual(self.counts_of(rules.OBSERVED_LOADED), (15, 1))

    def test_what_nobody_saved_is_not_judged(self) -> None:
        for rank, path in ((0, "pretrained.pt"), (1, "")):
            loaded = observed_testing.make_state(
                _State.LOADED, rank, 9, ["param/pretrained"]
            )
            loaded.path = path
            # The ones that were saved are looked at nevertheless.
            self.resumed.observed[rank].states.insert(0, loaded)
        self.assert_concludes(_Verdict.PASS)
        self.assert_not_judged(
            *(
                _NotJudged(kind=_NotJudged.LOADED_UNKNOWN, what=what)
                for what in ("pretrained.pt", "an object")
            )
        )
        self.assertEqual(self.counts_of(rules.OBSERVED_LOADED), (10, 0))

    def test_it_is_listed_once_and_up_to_a_bound(self) -> None:
        paths = [f"{index:02}.pt" for index in range(25)]
        for path in (paths[0], *paths):
            loaded = observed_testing.make_state(
                _State.LOADED, 0, 9, ["param/pretrained"]
            )
            loaded.path = path
            self.resumed.observed[0].states.append(loaded)
        self.assertEqual(
            [one.what for one in self.judge().not_judged], paths[:20]
        )

    def test_it_does_not_come_from_a_later_save(self) -> None:
        for attempt in self.record.attempts:
            for rank in attempt.observed:
                del rank.states[:]
        loaded = self.resumed.observed[0].states.add(
            moment=_State.LOADED, iteration=4, path="a.pt"
        )
        saved = self.resumed.observed[0].states.add()
        saved.CopyFrom(loaded)
        saved.moment = _State.SAVED
        self.assertIn(
            _NotJudged(kind=_NotJudged.LOADED_UNKNOWN, what="a.pt"),
            self.judge().not_judged,
        )
        self.assertIsNone(self.counts_of(rules.OBSERVED_LOADED))


class WhichSaveTest(observed_testing.ObservedTestCase):
    """Tests which of several saves a load is compared with."""

    def setUp(self) -> None:
        super().setUp()
        for launch in self.all_launches():
            for rank in launch.observed:
                del rank.states[:]
        self.resumed.observed[0].states.add(
            moment=_State.LOADED,
            iteration=5,
            path="a.pt",
            entries=[run_pb2.StateEntry(name="param/w", digest="1")],
        )

    def save(
        self, rank: int, iteration: int, path: str, name: str, digest: str
    ) -> None:
        self.first.observed[rank].states.add(
            moment=_State.SAVED,
            iteration=iteration,
            path=path,
            entries=[run_pb2.StateEntry(name=name, digest=digest)],
        )

    def expected(self) -> list[str]:
        """Returns the digest that was expected in place of the loaded one."""
        return [
            one.expected.entries.entries[0].digest
            for one in self.found_by(rules.OBSERVED_LOADED)
            if not one.expected.absent
        ]

    @parameterized.parameters(
        # The iteration alone, the file alone, and the names alone.
        (5, "b.pt", "param/x"),
        (-1, "a.pt", "param/x"),
        (-1, "b.pt", "param/w"),
    )
    def test_one_thing_in_common_is_enough(
        self, iteration: int, path: str, name: str
    ) -> None:
        # What is no save comes first.
        self.first.observed[1].states.add(moment=_State.CONTINUED, iteration=5)
        self.save(1, iteration, path, name, "2")
        self.assertEqual(self.expected(), ["2"])
        self.assertEqual(
            self.found_by(rules.OBSERVED_LOADED)[0].iteration, iteration
        )
        self.assertNotIn(
            _NotJudged.LOADED_UNKNOWN,
            [one.kind for one in self.judge().not_judged],
        )

    def test_nothing_in_common_is_not(self) -> None:
        self.save(0, 4, "b.pt", "param/x", "2")
        self.assertIsNone(self.counts_of(rules.OBSERVED_LOADED))
        self.assertIn(
            _NotJudged(kind=_NotJudged.LOADED_UNKNOWN, what="a.pt"),
            self.judge().not_judged,
        )

    def test_two_files_of_no_name_have_nothing_in_common(self) -> None:
        self.resumed.observed[0].states[0].path = ""
        self.save(0, 4, "", "param/x", "2")
        self.assertIsNone(self.counts_of(rules.OBSERVED_LOADED))

    @parameterized.parameters(
        # The same content, wherever it is; though the other one is of the same
        # iteration, file and rank.
        ((1, 4, "b.pt", "param/w", "1"), (0, 5, "a.pt", "param/w", "2"), []),
        # The same iteration.
        ((1, 5, "b.pt", "param/x", "3"), (0, 4, "a.pt", "param/w", "2"), ["3"]),
        # The same file.
        ((1, 4, "a.pt", "param/x", "3"), (0, 4, "b.pt", "param/w", "2"), ["3"]),
        # The own rank.
        ((0, 4, "b.pt", "param/w", "3"), (1, 4, "b.pt", "param/w", "2"), ["3"]),
    )
    def test_what_counts_most(
        self,
        nearer: tuple[int, int, str, str, str],
        farther: tuple[int, int, str, str, str],
        expected: list[str],
    ) -> None:
        for saves in ((nearer, farther), (farther, nearer)):
            for rank in self.first.observed:
                del rank.states[:]
            for save in saves:
                self.save(*save)
            self.assertIsNotNone(self.counts_of(rules.OBSERVED_LOADED))
            self.assertEqual(self.expected(), expected)

    def test_of_equals_the_last_one_counts(self) -> None:
        for digest in ("2", "3", "4"):
            self.save(0, 4, "a.pt", "param/w", digest)
        self.assertEqual(self.expected(), ["4"])


class BegunTest(observed_testing.ObservedTestCase):
    def restored(self) -> list[verdict_pb2.RestoredKind]:
        return list(self.judge().restored_state.kinds)

    def test_lists_the_kinds_that_are_restored(self) -> None:
        self.assertEqual(
            self.judge().restored_state.iteration, observed_testing.SAVED
        )
        self.assertEqual(
            self.restored(),
            [
                verdict_pb2.RestoredKind(kind=kind, rank=rank, entries=entries)
                for kind, entries in (
                    ("iteration", 1),
                    ("param", 2),
                    ("exp_avg", 1),
                    ("rng", 1),
                )
                for rank in observed_testing.RANKS
            ],
        )

    def test_names_what_is_not_as_in_the_whole_run(self) -> None:
        self.interrupt_again()
        state = self.state(self.record.attempts[2], 1, _State.CONTINUED, 4)
        self.change_entries(state, "exp_avg/w")
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(self.counts_of(rules.OBSERVED_BEGUN), (20, 1))
        (found,) = self.found_by(rules.OBSERVED_BEGUN)
        self.assertEqual(
            (found.state_entry.kind, found.state_entry.name), ("exp_avg", "w")
        )
        # It is the state as the next iteration begins.
        self.assertEqual(observed_testing.place(found), (2, 1, 5))
        self.assertEqual(
            found.expected.entries.entries[0].digest, "exp_avg/w 1 4"
        )
        self.assertEqual(found.actual.entries.entries[0].digest, "other")
        self.assertEqual(self.judge().restored_state.iteration, 4)
        self.assertFalse(self.judge().HasField("repeat_through"))

    def test_the_kind_that_is_closest_to_the_cause_comes_first(self) -> None:
        self.change_entries(
            self.state(
                self.resumed, 0, _State.CONTINUED, observed_testing.SAVED
            ),
            *observed_testing.ENTRIES,
        )
        self.assertEqual(
            [
                one.state_entry.kind
                for one in self.found_by(rules.OBSERVED_BEGUN)
            ],
            ["iteration", "param", "param", "exp_avg", "rng"],
        )

    def test_says_how_a_kind_was_lost(self) -> None:
        state = self.state(
            self.resumed, 1, _State.CONTINUED, observed_testing.SAVED
        )
        for entry in list(state.entries):
            if entry.name == "param/w":
                state.entries.remove(entry)
            elif entry.name == "exp_avg/w":
                entry.digest, entry.description = "zero", "0"
        self.assertEqual(
            [one for one in self.restored() if one.differing],
            [
                verdict_pb2.RestoredKind(
                    kind="param", rank=1, entries=2, differing=1, absent=1
                ),
                verdict_pb2.RestoredKind(
                    kind="exp_avg", rank=1, entries=1, differing=1, reset=True
                ),
            ],
        )

    def test_only_the_first_state_counts(self) -> None:
        again = observed_testing.make_state(_State.CONTINUED, 0, 4)
        self.change_entries(again, "param/w")
        self.resumed.observed[0].states.append(again)
        self.assert_concludes(_Verdict.PASS)
        self.assertEqual(self.counts_of(rules.OBSERVED_BEGUN), (10, 0))

    def test_ranks_that_do_not_tell_are_not_compared(self) -> None:
        del self.resumed.observed[0].states[:]
        self.assertEqual(self.counts_of(rules.OBSERVED_BEGUN), (5, 0))
        self.assert_not_judged()

    def test_nor_is_what_the_whole_run_does_not_tell(self) -> None:
        state = self.state(
            self.whole, 0, _State.CONTINUED, observed_testing.SAVED
        )
        self.whole.observed[0].states.remove(state)
        self.assertEqual(self.counts_of(rules.OBSERVED_BEGUN), (5, 0))
        del self.whole.observed[0]
        self.assertEqual(self.counts_of(rules.OBSERVED_BEGUN), (5, 0))
        self.assert_not_judged()

    def test_nothing_to_compare_is_listed(self) -> None:
        for rank in self.resumed.observed:
            del rank.states[:]
        self.assertIsNone(self.counts_of(rules.OBSERVED_BEGUN))
        self.assertFalse(self.judge().HasField("restored_state"))
        self.assert_not_judged(_NotJudged(kind=_NotJudged.STATE_AS_BEGUN))


class SavesTest(observed_testing.ObservedTestCase):
    def test_names_what_is_not_as_the_whole_run_saves_it(self) -> None:
        self.interrupt_again()
        saved = self.state(self.record.attempts[2], 1, _State.SAVED, 6)
        self.change_entries(saved, "param/w")
        self.assert_concludes(_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(self.counts_of(rules.OBSERVED_SAVES), (20, 1))
        (found,) = self.found_by(rules.OBSERVED_SAVES)
        self.assertEqual(
            (found.state_entry.kind, found.state_entry.name), ("param", "w")
        )
        self.assertEqual(observed_testing.place(found), (2, 1, 6))
        self.assertEqual(
            found.expected.entries.entries[0].digest, "param/w 1 6"
        )
        self.assertEqual(found.actual.entries.entries[0].digest, "other")
        self.assertEqual(self.judge().repeat_through, observed_testing.LAST)

    def test_the_kind_that_is_closest_to_the_cause_comes_first(self) -> None:
        self.change_entries(
            self.state(self.resumed, 0, _State.SAVED, 4),
            *observed_testing.ENTRIES,
        )
        self.assertEqual(
            [
                one.state_entry.kind
                for one in self.found_by(rules.OBSERVED_SAVES)
            ],
            ["iteration", "param", "param", "exp_avg", "rng"],
        )

    def test_saves_that_only_one_run_has_are_not_compared(self) -> None:
        self.state(self.resumed, 0, _State.SAVED, 4).iteration = 5
        self.assertEqual(self.counts_of(rules.OBSERVED_SAVES), (15, 0))
        del self.whole.observed[0]
        self.assertEqual(self.counts_of(rules.OBSERVED_SAVES), (10, 0))
        del self.whole.observed[0].states[:]
        self.assertIsNone(self.counts_of(rules.OBSERVED_SAVES))

    def test_each_of_several_saves_after_one_iteration_is_compared(
        self,
    ) -> None:
        files = ["model", "optimizer", "scheduler"]
        for launch in (self.whole, self.resumed):
            for name in files:
                launch.observed[0].states.append(
                    observed_testing.make_state(
                        _State.SAVED, 0, 5, [f"{name}/w"]
                    )
                )
        self.assertEqual(self.counts_of(rules.OBSERVED_SAVES), (23, 0))
        for place, name in enumerate(files):
            self.change_entries(
                self.resumed.observed[0].states[place - 3], f"{name}/w"
            )
        self.assertEqual(self.counts_of(rules.OBSERVED_SAVES), (23, 3))


if __name__ == "__main__":
    absltest.main()
