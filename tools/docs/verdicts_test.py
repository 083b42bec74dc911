"""Tests for the document about verdicts."""

import pathlib

from absl.testing import absltest

from regress.oracle import conclusions, repeat_oracle, rules
from tools.docs import verdicts


class VerdictsTest(absltest.TestCase):
    def test_the_committed_file_is_current(self) -> None:
        self.assertEqual(
            pathlib.Path(verdicts.PATH).read_text(),
            verdicts.render(),
            "Run tools/bazelw run //tools/docs:verdicts.",
        )

    def test_the_readmes_table_is_current(self) -> None:
        text = pathlib.Path(verdicts.README).read_text()
        self.assertEqual(
            text,
            verdicts.render_readme(text),
            "Run tools/bazelw run //tools/docs:verdicts.",
        )

    def test_the_readmes_table_has_every_conclusion(self) -> None:
        head = "| verdict | what happened | what to run next |\n|---|---|---|\n"
        table = verdicts.render_readme(f"before\n{head}| old |\n\nafter\n")
        self.assertStartsWith(
            table, f"before\n{head}| crash | a rank crashed |"
        )
        self.assertEndsWith(table, "|\n\nafter\n")
        self.assertNotIn("| old |", table)
        self.assertLen(table.splitlines(), 5 + len(conclusions.ORDER))
        with self.assertRaisesRegex(ValueError, "must have one table"):
            verdicts.render_readme("no table")

    def test_every_class_and_every_check_is_there(self) -> None:
        text = verdicts.render()
        for place, one in enumerate(conclusions.ORDER, 1):
            self.assertIn(f"### {place}. {one.name}\n", text)
            for words in (one.why_here, one.when, one.next_step):
                self.assertIn(words, text)
        for rule in rules.ALL:
            self.assertIn(f"| {rule.name} | {rule.asks} |", text)

    def test_the_repeats_decisions_are_there(self) -> None:
        table = [
            line.strip()
            for line in (repeat_oracle.__doc__ or "").splitlines()
            if line.strip().startswith("|")
        ]
        self.assertLen(table, 8)
        self.assertIn("\n".join(table), verdicts.render())


if __name__ == "__main__":
    absltest.main()
