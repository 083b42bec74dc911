"""Tests for merging findings."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import finding_test_helper as helper
from regress.report import same_findings


def _finding(rank: int | None, **fields: object) -> verdict_pb2.Finding:
    wanted: dict[str, object] = {
        "oracle": verdict_pb2.REPLAY,
        "check": "metrics of steps that ran twice",
        "subject": helper.metric("grad norm"),
        "attempt": 1,
        "rank": rank,
        "iteration": 4,
        "expected": 1.0,
        "actual": 2.0,
        "absolute": 1.0,
    }
    return helper.make(**(wanted | fields))  # type: ignore[arg-type]


class MergeTest(parameterized.TestCase):
    def test_draws_the_ranks_together(self):
        (same,) = same_findings.merge(map(_finding, (9, 1, 2, 3)))
        self.assertEqual(same.ranks, (1, 2, 3, 9))
        self.assertEqual(same.first.rank, 9)

    def test_two_checks_that_find_the_same_find_it_once(self):
        (same,) = same_findings.merge(
            [
                _finding(2),
                _finding(
                    2, oracle=verdict_pb2.GOLDEN, check="attempt 1: metrics"
                ),
            ]
        )
        self.assertEqual(same.ranks, (2,))
        self.assertEqual(same.first.oracle, verdict_pb2.REPLAY)

    @parameterized.parameters(
        {"subject": helper.metric()},
        {"of_repeat": True},
        {"attempt": 0},
        {"iteration": 5},
    )
    def test_keeps_apart_what_is_about_something_else(
        self, **fields: object
    ) -> None:
        merged = same_findings.merge(
            [_finding(0), _finding(1, **fields), _finding(2)]
        )
        self.assertEqual([same.ranks for same in merged], [(0, 2), (1,)])

    @parameterized.parameters(
        {"expected": 1.5},
        {"actual": 2.5},
        {"end": helper.said("It shrank.")},
        {"origin": verdict_pb2.StateOrigin(rank=3)},
    )
    def test_one_subject_is_told_once_with_all_ranks(
        self, **fields: object
    ) -> None:
        (same,) = same_findings.merge(
            [_finding(0), _finding(1, **fields), _finding(2)]
        )
        self.assertEqual(same.ranks, (0, 1, 2))

    def test_says_whose_values_are_shown(self):
        alike, varied = same_findings.merge(
            [
                _finding(0),
                _finding(1),
                _finding(2, iteration=5),
                _finding(3, iteration=5, actual=2.5),
            ]
        )
        self.assertEqual((alike.alike, alike.of_rank()), (True, ""))
        self.assertEqual((varied.alike, varied.of_rank()), (False, "of rank 2"))

    def test_facts_with_other_values_are_kept_apart(self):
        merged = same_findings.merge(
            _finding(
                rank,
                subject=verdict_pb2.Fact.EXIT_STATUS,
                actual=f"{rank // 2}",
            )
            for rank in range(4)
        )
        self.assertEqual([one.ranks for one in merged], [(0, 1), (2, 3)])

    def test_what_another_check_finds_otherwise_is_told_twice(self):
        golden = {"oracle": verdict_pb2.GOLDEN, "expected": 1.5}
        merged = same_findings.merge([_finding(0), _finding(0, **golden)])
        self.assertLen(merged, 2)

    def test_explains_each_thing_once(self):
        origin = verdict_pb2.StateOrigin(chunks=[{"chunk": 0, "source": 1}])
        state = {
            "oracle": verdict_pb2.STATE,
            "subject": helper.entry("chunk 0/param/weight"),
            "origin": origin,
        }
        (same,) = same_findings.merge(
            [_finding(0, **state), _finding(2, **state), _finding(2, **state)]
        )
        self.assertEqual(
            same.explanations,
            (
                "On rank 0 chunk 0 holds what chunk 1 saved.",
                "On rank 2 chunk 0 holds what chunk 1 saved.",
            ),
        )


class WhereTest(parameterized.TestCase):
    @parameterized.parameters(
        ({}, ""),
        ({"attempt": 0, "rank": 0}, "attempt 0, rank 0"),
        (
            {"attempt": 1, "rank": 3, "iteration": 4},
            "attempt 1, rank 3, iteration 4",
        ),
        ({"iteration": 4}, "iteration 4"),
    )
    def test_names_what_there_is(self, fields, text):
        (same,) = same_findings.merge([verdict_pb2.Finding(**fields)])
        self.assertEqual(same.where(), text)

    def test_names_several_ranks(self):
        (same,) = same_findings.merge(
            verdict_pb2.Finding(attempt=1, rank=rank) for rank in (0, 1, 3)
        )
        self.assertEqual(same.where(), "attempt 1, ranks 0,1,3")


if __name__ == "__main__":
    absltest.main()
