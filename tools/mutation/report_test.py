"""Tests for the report on mutants."""

from absl.testing import absltest

from tools.mutation import explained, mutants, report

_RESULTS = mutants.parse_results(
    "    a.b.x_f__mutmut_1: killed\n"
    "    a.b.x_f__mutmut_2: survived\n"
    "    a.b.x_f__mutmut_3: timeout\n"
    "    a.b.x_f__mutmut_4: killed\n"
    "    a.cc.x_g__mutmut_1: no tests\n"
)
_DIFF = "--- a\n+++ a\n-    x = 1\n+    x = 2\n"
_EXPLANATIONS = [
    explained.Explanation(
        "a/b.py", "f", "x = 1", ("x = 2", "x = 3"), "Nobody reads x."
    ),
    explained.Explanation("a/d.py", "h", "y = 1", ("y = 2",), "Nor y."),
]


def _survivors() -> list[report.Survivor]:
    return [
        report.explain(one, _DIFF, _EXPLANATIONS)
        for one in _RESULTS
        if one.survived
    ]


class ReportTest(absltest.TestCase):
    def test_explains_what_the_list_explains(self):
        self.assertEqual(
            [one.because for one in _survivors()], ["Nobody reads x.", ""]
        )

    def test_explains_the_wording_of_a_sentence_without_a_list(self):
        diff = '-    why="A rank hung."\n+    why="a rank hung."\n'
        survivor = report.explain(_RESULTS[1], diff, [])
        self.assertIn("wording", survivor.because)

    def test_names_what_is_explained_for_nothing(self):
        self.assertEqual(
            report.idle(_EXPLANATIONS, _survivors(), ["a/b.py"]),
            ["a/b.py, f: 'x = 1' to 'x = 3'"],
        )

    def test_counts_by_module(self):
        self.assertEqual(
            report.table(_RESULTS, _survivors()).splitlines(),
            [
                "module   mutants  killed  timed out  survived  explained",
                "a/b.py         4       2          1         1          1",
                "a/cc.py        1       0          0         1          0",
                "all            5       2          1         2          1",
            ],
        )


if __name__ == "__main__":
    absltest.main()
