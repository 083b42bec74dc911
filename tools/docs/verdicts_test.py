"""Tests of the document about verdicts."""

import pathlib

from absl.testing import absltest

from regress.oracle import conclusion, repeat_oracle, rules, verdict_pb2
from tools.docs import verdicts


class VerdictsTest(absltest.TestCase):
    def test_the_committed_file_is_current(self) -> None:
        self.assertEqual(
            pathlib.Path(verdicts.PATH).read_text(),
            verdicts.render(),
            "Run tools/bazelw run //tools/docs:verdicts.",
        )

    def test_every_class_has_a_meaning_and_a_next_step(self) -> None:
        classes = set(verdict_pb2.Verdict.Conclusion.values())
        self.assertCountEqual(
            verdicts.NEXT_STEPS,
            classes - {verdict_pb2.Verdict.CONCLUSION_UNSPECIFIED},
        )

    def test_every_class_and_every_check_is_there(self) -> None:
        text = verdicts.render()
        for place, (reached, why) in enumerate(conclusion.ORDER, 1):
            name = verdict_pb2.Verdict.Conclusion.Name(reached)
            self.assertIn(
                f"### {place}. {name.replace('_', ' ').lower()}\n", text
            )
            self.assertIn(why, text)
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
