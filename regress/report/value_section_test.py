"""Tests of the table of values."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import finding_test_helper as helper
from regress.report import value_section


def _finding(**fields: object) -> verdict_pb2.Finding:
    wanted: dict[str, object] = {
        "oracle": verdict_pb2.GOLDEN,
        "check": "attempt 1: metrics",
        "subject": helper.metric(),
        "attempt": 1,
        "iteration": 4,
        "expected": 1.0,
        "actual": 2.0,
    }
    return helper.make(**(wanted | fields))  # type: ignore[arg-type]


def _render(*findings: verdict_pb2.Finding) -> list[str]:
    """The lines below the header."""
    return value_section.render(findings, verdict_pb2.Verdict())[3:]


def _iterations(lines: list[str]) -> list[int]:
    return [int(line.split()[0]) for line in lines if "lm loss" in line]


class ValueSectionTest(parameterized.TestCase):
    @parameterized.parameters(
        ({}, "-          -             -"),
        ({"absolute": 2.0}, "2          -             -"),
        (
            {"absolute": 0.0, "relative": 0.0, "ulps": 0},
            "0          0             0",
        ),
        (
            {"absolute": 1e-9, "relative": 1e-9, "ulps": 0},
            "1e-09      1e-09            <1",
        ),
        ({"absolute": 2.0, "ulps": 12345678}, "2          -    12,345,678"),
        (
            {"absolute": 1.23456e-100, "relative": 1.0, "ulps": 2**63 - 1},
            "1.23e-100          1      9.22e+18",
        ),
    )
    def test_says_how_far_apart_numbers_are(self, fields, text):
        line = _render(_finding(**fields))[2]
        self.assertEqual(line.strip(), f"{text}  2.0")

    def test_expected_stands_above_actual(self):
        _, expected, actual = _render(_finding())
        self.assertEqual(expected.index("1.0"), actual.index("2.0"))

    def test_a_long_name_leaves_expected_above_actual(self):
        name = 'learning rate of group "default (no weight decay)"'
        _, first, expected, actual = _render(
            _finding(
                subject=helper.metric(
                    "learning rate", "default (no weight decay)"
                )
            )
        )
        self.assertEqual(expected.index("1.0"), actual.index("2.0"))
        self.assertEqual(
            f"{first.split(maxsplit=1)[1]} {expected[:54].strip()}", name
        )

    def test_leaves_room_for_what_another_check_found(self):
        lines = _render(
            *(_finding(iteration=iteration) for iteration in range(1, 10)),
            *(
                _finding(check="another", iteration=iteration)
                for iteration in range(20, 30)
            ),
            _finding(check="a third", iteration=40),
        )
        self.assertEqual(_iterations(lines), [1, 2, 3, 4, 5, 6, 20, 21, 22, 23])
        # None of its values is shown.
        self.assertNotIn("golden, a third", lines)

    def test_a_value_that_two_checks_found_is_shown_once(self):
        lines = _render(
            _finding(oracle=verdict_pb2.REPLAY, check="replay"), _finding()
        )
        self.assertEqual(_iterations(lines), [4])

    @parameterized.parameters(
        ((), ""),
        ((3,), "3"),
        ((0, 1, 2, 3), "0-3"),
        ((0, 2, 4, 6), "0,2,4,6"),
        ((0, 2, 4, 6, 8), "several"),
    )
    def test_names_as_many_ranks_as_fit(self, ranks, text):
        findings = [_finding(rank=rank) for rank in ranks] or [_finding()]
        self.assertEqual(_render(*findings)[1][9:20].strip(), text)

    def test_counts_what_differs_in_the_check(self):
        check = verdict_pb2.Check(
            oracle=verdict_pb2.GOLDEN,
            name="attempt 1: metrics",
            compared=4000,
            differing=2000,
        )
        lines = value_section.render(
            [_finding()], verdict_pb2.Verdict(checks=[check])
        )
        self.assertIn(
            "golden, attempt 1: metrics (2,000 of 4,000 differ)", lines
        )

    def test_does_not_show_a_value_of_which_it_may_not_know_all_ranks(self):
        findings = [_finding(iteration=4, rank=rank) for rank in range(4)]
        findings += [_finding(iteration=5, rank=rank) for rank in range(2)]
        for differing, iterations in ((6, [4, 5]), (8, [4])):
            check = verdict_pb2.Check(
                oracle=verdict_pb2.GOLDEN,
                name="attempt 1: metrics",
                differing=differing,
            )
            verdict = verdict_pb2.Verdict(checks=[check])
            lines = value_section.render(findings, verdict)
            self.assertEqual(_iterations(lines), iterations)
            # Rather one value too little known than none.
            lines = value_section.render(findings[:3], verdict)
            self.assertEqual(_iterations(lines), [4])


if __name__ == "__main__":
    absltest.main()
