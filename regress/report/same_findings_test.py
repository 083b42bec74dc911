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
        {"expected": 1.5},
        {"actual": 2.5},
        {"end": helper.said("It shrank.")},
        {"origin": verdict_pb2.StateOrigin(rank=3)},
    )
    def test_keeps_apart_what_says_something_else(
        self, **fields: object
    ) -> None:
        merged = same_findings.merge(
            [_finding(0), _finding(1, **fields), _finding(2)]
        )
        self.assertEqual([same.ranks for same in merged], [(0, 2), (1,)])


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
