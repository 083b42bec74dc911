"""Tests for comparing states entry by entry, and of the findings' order."""

from absl.testing import absltest, parameterized

from regress.oracle import (
    check,
    record_test_helper,
    rules,
    state_comparison,
    verdict_pb2,
)
from regress.report import wording
from regress.run import run_pb2

_Digest = run_pb2.StateDigest


def _digest(**entries: str) -> run_pb2.StateDigest:
    return run_pb2.StateDigest(
        entries=[
            run_pb2.StateEntry(
                name=name.replace("__", "/"), digest=digest, description="int"
            )
            for name, digest in entries.items()
        ]
    )


def _compare(
    expected: list[run_pb2.StateDigest], actual: list[run_pb2.StateDigest]
) -> tuple[check.Outcome, dict[str, int]]:
    result = check.Check(rules.STATE_RESTORED)
    counts = state_comparison.compare(
        result, expected, actual, attempt=1, rank=2, iteration=20
    )
    return result.outcome(), dict(counts.differing)


def _place(finding: verdict_pb2.Finding) -> tuple[int, int, int]:
    return finding.attempt, finding.rank, finding.iteration


class CompareTest(parameterized.TestCase):
    def test_passes_equal_entries_in_any_order(self):
        outcome, kinds = _compare(
            [_digest(rng="aa", scheduler="bb")],
            [_digest(scheduler="bb", rng="aa")],
        )
        self.assertEqual((outcome.compared, outcome.differing), (2, 0))
        self.assertEmpty(kinds)

    def test_names_a_changed_entry(self):
        outcome, kinds = _compare(
            [_digest(rng__default="aa", scheduler="bb")],
            [_digest(rng__default="cc", scheduler="bb")],
        )
        self.assertEqual((outcome.compared, outcome.differing), (2, 1))
        (finding,) = outcome.findings
        self.assertEqual(wording.subject(finding), "rng/default")
        self.assertEqual(_place(finding), (1, 2, 20))
        self.assertEqual(
            (wording.expected(finding), wording.actual(finding)),
            ("int, digest aa", "int, digest cc"),
        )
        self.assertEqual(wording.explanation(finding), "")
        self.assertEqual(kinds, {"rng": 1})

    def test_counts_the_entries_of_each_kind(self) -> None:
        counts = state_comparison.compare(
            check.Check(rules.STATE_RESTORED),
            [_digest(rng__a="aa", rng__b="bb", rng__c="cc", scheduler="dd")],
            [_digest(rng__a="xx", rng__b="xx", rng__c="cc", scheduler="dd")],
            attempt=1,
            rank=2,
            iteration=20,
        )
        self.assertEqual(counts.compared, {"rng": 3, "scheduler": 1})
        self.assertEqual(counts.differing, {"rng": 2})

    def test_names_the_param_group_of_an_entry(self):
        name = "param group decoupled/lr"
        (finding,) = _compare(
            [_digest(**{name: "aa"})], [_digest(**{name: "bb"})]
        )[0].findings
        self.assertEqual(
            finding.state_entry,
            verdict_pb2.StateEntryKey(
                kind="param group", group="decoupled", name="lr"
            ),
        )

    def test_names_missing_and_extra_entries(self):
        outcome, kinds = _compare(
            [_digest(a="aa", b="bb")], [_digest(a="aa", c="cc")]
        )
        self.assertEqual((outcome.compared, outcome.differing), (3, 2))
        self.assertEqual(
            [
                (
                    wording.subject(one),
                    wording.expected(one),
                    wording.actual(one),
                )
                for one in outcome.findings
            ],
            [("b", "int", "absent"), ("c", "absent", "int")],
        )
        self.assertEqual(kinds, {"b": 1, "c": 1})

    def test_an_entry_that_is_there_twice_differs(self):
        twice = _digest(a="aa")
        twice.entries.add(name="a", digest="aa")
        outcome, _ = _compare([twice], [twice])
        self.assertEqual(outcome.differing, 1)
        self.assertEqual(
            wording.actual(outcome.findings[0]), "int, digest aa and digest aa"
        )

    def test_an_entry_without_a_digest_differs_from_itself(self):
        empty = _digest(a="")
        outcome, _ = _compare([empty], [empty])
        self.assertEqual(outcome.differing, 1)
        self.assertEqual(wording.actual(outcome.findings[0]), "int, no digest")

    def test_a_digest_without_entries_differs_from_itself(self):
        outcome, _ = _compare([_digest()], [_digest()])
        self.assertEqual((outcome.compared, outcome.differing), (1, 1))
        (finding,) = outcome.findings
        self.assertEqual(_place(finding), (1, 2, 20))
        self.assertEqual(
            (
                wording.subject(finding),
                wording.expected(finding),
                wording.actual(finding),
            ),
            ("state digest", "state entries to compare with", "none"),
        )
        self.assertNotEmpty(wording.explanation(finding))

    @parameterized.parameters(
        (0, 0, "recorded never, and never to compare with"),
        (0, 1, "recorded once, and never to compare with"),
        (1, 0, "recorded never, and once to compare with"),
        (2, 1, "recorded once, and 2 times to compare with"),
        (1, 2, "recorded 2 times, and once to compare with"),
    )
    def test_wants_one_digest_on_each_side(self, expected, actual, text):
        outcome, _ = _compare(
            [_digest(a="aa")] * expected, [_digest(a="aa")] * actual
        )
        self.assertEqual((outcome.compared, outcome.differing), (1, 1))
        (finding,) = outcome.findings
        self.assertEqual(_place(finding), (1, 2, 20))
        self.assertEqual(
            (
                wording.subject(finding),
                wording.expected(finding),
                wording.actual(finding),
            ),
            ("state digest", "recorded once, and once to compare with", text),
        )
        self.assertNotEmpty(wording.explanation(finding))


class EntryOrderTest(parameterized.TestCase):
    @parameterized.parameters(
        # The positions of wrong entries by rank; the rank and the subject of
        # the first finding.
        ({2: [2]}, 2, "chunk 0/exp_avg/weight"),
        ({0: [6], 3: [2]}, 3, "chunk 0/exp_avg/weight"),
        ({0: [1, 2], 3: [0]}, 3, "chunk 0/param/weight"),
        ({0: [0, 4], 1: [5]}, 1, "scheduler/num_steps"),
        ({1: [3], 2: [2, 3]}, 1, "chunk 1/exp_avg/weight"),
    )
    def test_the_first_finding_is_nearest_the_cause(self, wrong, rank, subject):
        records = record_test_helper.passing()
        for one, places in wrong.items():
            for place in places:
                loaded = records.state(1, one, _Digest.LOADED)
                loaded.entries[place].digest = "bad"
        finding = records.judge().findings[0]
        self.assertEqual(
            (finding.rank, wording.subject(finding)), (rank, subject)
        )

    def test_a_digest_that_is_absent_comes_before_its_entries(self):
        records = record_test_helper.passing()
        records.state(1, 0, _Digest.LOADED).entries[5].digest = "bad"
        records.remove_events(1, 3, "state")
        finding = records.judge().findings[0]
        self.assertEqual(
            (finding.rank, wording.subject(finding)), (3, "state digest")
        )

    def test_an_absent_digest_comes_before_every_kind_of_entry(self):
        absent = verdict_pb2.Finding(
            fact=verdict_pb2.Fact(kind=verdict_pb2.Fact.STATE_DIGEST)
        )
        for kind in state_comparison.KINDS:
            entry = verdict_pb2.Finding(
                state_entry=verdict_pb2.StateEntryKey(kind=kind)
            )
            self.assertLess(
                state_comparison.by_cause(absent),
                state_comparison.by_cause(entry),
                kind,
            )

    def test_an_unknown_kind_comes_last(self):
        places = [
            state_comparison.kind_position(kind)
            for kind in (*state_comparison.KINDS, "?")
        ]
        self.assertEqual(places, sorted(set(places)))

    def test_an_earlier_iteration_comes_first(self):
        earlier, later = (
            verdict_pb2.Finding(
                state_entry=verdict_pb2.StateEntryKey(kind=kind),
                iteration=iteration,
            )
            for kind, iteration in (("rng", 3), ("iteration", 6))
        )
        self.assertLess(
            state_comparison.by_cause(earlier), state_comparison.by_cause(later)
        )


if __name__ == "__main__":
    absltest.main()
