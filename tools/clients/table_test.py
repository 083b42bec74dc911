"""Tests for table.py."""

import pathlib

from absl.testing import absltest

from regress.case import case_pb2
from regress.oracle import verdict_pb2
from tools.clients import clients, table

_Verdict = verdict_pb2.Verdict


def _result(row: clients.Row, *verdicts: verdict_pb2.Verdict) -> table.Result:
    """Returns a row with verdicts at depths 1, 2, ..."""
    return table.Result(
        clients.Client("A Trainer", "a", "a-trainer", (row,)),
        "1.2",
        row,
        case_pb2.CommandCase(
            ranks=2,
            interruption=[
                case_pb2.Interruption(iteration=18, signal=case_pb2.SIGKILL)
            ],
        ),
        dict(enumerate(verdicts, 1)),
    )


class TableTest(absltest.TestCase):
    def lines(self, *results: table.Result) -> list[str]:
        """Returns the lines of the table."""
        text = table.render(results)
        return [line for line in text.splitlines() if line.startswith("|")]

    def test_has_a_row_for_each_result(self) -> None:
        row = clients.Row(
            "mid", "a|b", _Verdict.RESUME_DIVERGENCE, "the data", "a/b #1"
        )
        verdict = verdict_pb2.Verdict(conclusion=_Verdict.RESUME_DIVERGENCE)
        self.assertEqual(
            self.lines(_result(row, verdict)),
            [
                "| client | ranks | what it does | interruption | depth 1 "
                "| not restored | reported as |",
                "| --- | --- | --- | --- | --- | --- | --- |",
                r"| A Trainer 1.2 | 2 | `mid`: a\|b | SIGKILL at 18 "
                "| resume divergence | the data | a/b #1 |",
            ],
        )

    def test_has_a_column_for_each_depth(self) -> None:
        passed = verdict_pb2.Verdict(conclusion=_Verdict.PASS)
        failed = verdict_pb2.Verdict(conclusion=_Verdict.CRASH)
        head, _, line = self.lines(
            _result(clients.Row("mid", "saves all"), passed, failed)
        )
        self.assertIn("| depth 1 | depth 2 |", head)
        self.assertIn("| pass | crash | - | - |", line)

    def test_the_page_has_all_that_is_known(self) -> None:
        page = pathlib.Path("docs/clients.md").read_text()
        self.assertStartsWith(page, table.HEAD)
        rows = [line for line in page.splitlines() if "| `" in line]
        known = [row for client in clients.CLIENTS for row in client.rows]
        self.assertLen(rows, len(known))
        for line, row in zip(rows, known, strict=True):
            with self.subTest(row.case):
                self.assertIn(f"| `{row.case}`: {row.how} |", line)
                self.assertIn(
                    "| pass | pass |"
                    if row.conclusion == _Verdict.PASS
                    else f"resume divergence: {row.first}, ",
                    line,
                )
                self.assertEndsWith(
                    line, f"| {row.lost or '-'} | {row.issue or '-'} |"
                )


if __name__ == "__main__":
    absltest.main()
