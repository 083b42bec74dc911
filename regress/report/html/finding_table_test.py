"""Tests for the page's tables of findings."""

from absl.testing import absltest

from regress.oracle import verdict_pb2
from regress.report import finding_test_helper as helper
from regress.report.html import finding_table, marking

_Marked = marking.Marked


def _finding(rank: int, **fields: object) -> verdict_pb2.Finding:
    wanted: dict[str, object] = {
        "oracle": verdict_pb2.REPLAY,
        "check": "metrics",
        "subject": helper.metric("grad norm"),
        "attempt": 1,
        "iteration": 4,
        "rank": rank,
        "expected": 1.25,
        "actual": 1.5,
    }
    return helper.make(**(wanted | fields))  # type: ignore[arg-type]


def _build(*findings: verdict_pb2.Finding) -> list[finding_table.Table]:
    return finding_table.build(
        verdict_pb2.Verdict(
            checks=[
                verdict_pb2.Check(
                    oracle=verdict_pb2.REPLAY,
                    name="metrics",
                    compared=4000,
                    differing=1000,
                )
            ],
            findings=findings,
        )
    )


class BuildTest(absltest.TestCase):
    def test_ranks_share_a_row(self) -> None:
        (table,) = _build(*map(_finding, range(4)))
        self.assertEqual(table.count, "1,000 of 4,000 differ")
        (row,) = table.first
        self.assertEqual((row.ranks, row.of_rank), ("ranks 0-3", ""))
        self.assertEqual(row.expected, _Marked("1.", "2", "5"))
        self.assertEqual(row.actual, _Marked("1.", "5", ""))
        self.assertEmpty(row.distance)

    def test_says_how_far_apart_and_whose_values_they_are(self) -> None:
        far = {"absolute": 0.25, "relative": 0.2, "ulps": 2097}
        (table,) = _build(_finding(0, **far), _finding(1, actual=1.75))
        (row,) = table.first
        self.assertEqual(row.of_rank, "of rank 0")
        self.assertEqual(
            row.distance, ("0.25 absolute", "0.2 relative", "2,097 ulps")
        )

    def test_marks_digests_and_the_values_of_state(self) -> None:
        (table,) = _build(
            _finding(
                0,
                subject=helper.entry("scheduler/num_steps"),
                expected=helper.loaded("a" * 32, "16"),
                actual=helper.loaded("b" * 32, "12"),
            ),
            _finding(
                0,
                subject=verdict_pb2.Fact.SAVED_STATE,
                expected=verdict_pb2.Value(digest="ab" * 32),
                actual=verdict_pb2.Value(digest="ac" * 32),
            ),
        )
        self.assertEqual(
            [row.expected for row in table.first],
            [_Marked("1", "6", ""), _Marked("a", "b", "ab" * 5)],
        )

    def test_words_are_not_marked(self) -> None:
        (table,) = _build(
            _finding(
                0,
                subject=verdict_pb2.Fact.EXIT_STATUS,
                expected="code 0",
                actual="code 1",
            )
        )
        self.assertEqual(table.first[0].actual, _Marked("code 1"))

    def test_shows_the_first_and_folds_the_rest(self) -> None:
        (table,) = _build(
            *(_finding(0, iteration=iteration) for iteration in range(20))
        )
        self.assertLen([*table.first, *table.rest], 20)
        self.assertEqual([row.iteration for row in table.first], list("012345"))


if __name__ == "__main__":
    absltest.main()
