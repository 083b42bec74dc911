"""Tests for the status of checks, and of the table of checks."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import checks as checks_lib

_CRASH = verdict_pb2.Verdict.CRASH
_NOT_RESUMED = verdict_pb2.Verdict.NOT_RESUMED


class StatusTest(parameterized.TestCase):
    @parameterized.parameters(
        (8, 0, verdict_pb2.Verdict.PASS, "ok"),
        (8, 1, _CRASH, "FAIL"),
        (8, 8, _CRASH, "FAIL"),
        (0, 0, _CRASH, "FAIL"),
        (8, 1, _NOT_RESUMED, "fails too"),
        (0, 0, _NOT_RESUMED, "no data"),
    )
    def test_beside_the_conclusion(self, compared, differing, by_itself, word):
        check = verdict_pb2.Check(
            compared=compared, differing=differing, conclusion=by_itself
        )
        self.assertEqual(checks_lib.status_of(check, _CRASH).value, word)

    def test_a_check_that_compared_nothing_is_not_ok_in_a_pass(self):
        passed = verdict_pb2.Verdict.PASS
        for by_itself in (passed, _NOT_RESUMED):
            status = checks_lib.status_of(
                verdict_pb2.Check(conclusion=by_itself), passed
            )
            self.assertNotEqual(status, checks_lib.Status.OK)


_Verdict = verdict_pb2.Verdict


def _check(
    name: str,
    compared: int = 10,
    differing: int = 0,
    oracle: verdict_pb2.Oracle = verdict_pb2.GOLDEN,
    conclusion: verdict_pb2.Verdict.Conclusion = _Verdict.CRASH,
) -> verdict_pb2.Check:
    return verdict_pb2.Check(
        oracle=oracle,
        name=name,
        compared=compared,
        differing=differing,
        conclusion=conclusion,
    )


def _rows(*checks: verdict_pb2.Check) -> list[list[str]]:
    """Returns the cells of the rows below the header."""
    table = checks_lib.render_table(
        _Verdict(conclusion=_Verdict.CRASH, checks=checks)
    )
    return [
        [cell.strip() for cell in row.split("  ") if cell.strip()]
        for row in table[1:]
    ]


class CheckTableTest(absltest.TestCase):
    def test_keeps_every_check_that_failed_and_counts_the_others(self):
        self.assertEqual(
            _rows(
                _check("fine", 1000),
                _check("cause", 10, 1),
                _check("fine, too", 2000),
                _check("not the cause", 10, 1, conclusion=_Verdict.HANG),
                _check("empty", 0, conclusion=_Verdict.HANG),
            ),
            [
                ["golden", "cause", "10", "1", "FAIL"],
                ["not the cause", "10", "1", "fails too"],
                ["empty", "0", "0", "no data"],
                ["2 other checks", "3,000", "0", "ok"],
            ],
        )

    def test_where_none_failed_there_is_one_row(self):
        self.assertEqual(
            _rows(_check("a"), _check("b")),
            [["golden", "2 checks", "20", "0", "ok"]],
        )

    def test_one_check_keeps_its_name(self):
        self.assertEqual(
            _rows(_check("a"), _check("b", 10, 1)),
            [["golden", "b", "10", "1", "FAIL"], ["a", "10", "0", "ok"]],
        )

    def test_an_oracle_is_named_in_its_first_row(self):
        self.assertEqual(
            _rows(
                _check("a", 9, 9, oracle=verdict_pb2.RESUME_PROOF),
                _check("b", 9, 9, oracle=verdict_pb2.RESUME_PROOF),
                _check("c", 9, 9, oracle=verdict_pb2.STATE),
            ),
            [
                ["resume proof", "a", "9", "9", "FAIL"],
                ["b", "9", "9", "FAIL"],
                ["state", "c", "9", "9", "FAIL"],
            ],
        )

    def test_columns_are_as_wide_as_they_must_be(self):
        table = checks_lib.render_table(
            _Verdict(checks=[_check("a name", 10**9), _check("b", 0)])
        )
        self.assertEqual(
            table,
            [
                "oracle  check        compared  differing",
                "golden  b                   0          0  no data",
                "        a name  1,000,000,000          0  ok",
            ],
        )


if __name__ == "__main__":
    absltest.main()
