"""Tests for markdown_table.py."""

from absl.testing import absltest

from regress.oracle import verdict_pb2
from tools.docs import markdown_table

_Verdict = verdict_pb2.Verdict


class TableTest(absltest.TestCase):
    def test_has_a_line_for_each_row(self) -> None:
        self.assertEqual(
            markdown_table.render(["a", "b"], [["1", "x|y"], ["2", "-"]]),
            "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n| 2 | - |",
        )

    def test_names_the_cause_of_a_verdict(self) -> None:
        verdict = _Verdict(
            conclusion=_Verdict.RESUME_DIVERGENCE,
            findings=[
                verdict_pb2.Finding(
                    metric=verdict_pb2.Metric(name="loss"), rank=1, iteration=4
                ),
                verdict_pb2.Finding(metric=verdict_pb2.Metric(name="lr")),
            ],
        )
        self.assertEqual(
            markdown_table.verdict(verdict),
            "resume divergence: loss, rank 1, iteration 4",
        )
        self.assertEqual(
            markdown_table.verdict(verdict, by_chance=True),
            "resume divergence: loss, some rank, iteration 4",
        )

    def test_a_pass_has_no_cause(self) -> None:
        self.assertEqual(
            markdown_table.verdict(_Verdict(conclusion=_Verdict.PASS)), "pass"
        )


if __name__ == "__main__":
    absltest.main()
