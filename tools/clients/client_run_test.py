"""Tests for client_run.py."""

import dataclasses
import pathlib
from typing import Any

from absl.testing import absltest

from regress.oracle import verdict_pb2
from tools.clients import client_run, clients

_Verdict = verdict_pb2.Verdict
_Clue = verdict_pb2.Clue

# The first iteration of the resume.
_FIRST = 17


def _diverges(**fields: Any) -> verdict_pb2.Verdict:
    """Returns the verdict on a resume that is wrong at once."""
    verdict = verdict_pb2.Verdict(
        conclusion=_Verdict.RESUME_DIVERGENCE,
        first_bad_iteration=_FIRST,
        clues=[
            verdict_pb2.Clue(right_after_resume=0),
            verdict_pb2.Clue(not_in_checkpoint=_Clue.RANDOM_STREAMS),
        ],
        outline=verdict_pb2.Outline(resume_iteration=[_FIRST]),
    )
    verdict.MergeFrom(verdict_pb2.Verdict(**fields))
    return verdict


class MismatchesTest(absltest.TestCase):
    row = clients.Row(
        "case",
        "forgets",
        _Verdict.RESUME_DIVERGENCE,
        unnamed=(_Clue.RANDOM_STREAMS,),
    )

    def mismatches(
        self, row: clients.Row, verdict: verdict_pb2.Verdict
    ) -> list[str]:
        return list(client_run.mismatches(row, verdict))

    def test_what_is_known_is_none(self) -> None:
        self.assertEmpty(self.mismatches(self.row, _diverges()))
        self.assertEmpty(
            self.mismatches(
                clients.Row("case", "saves all"),
                verdict_pb2.Verdict(conclusion=_Verdict.PASS),
            )
        )

    def test_another_verdict(self) -> None:
        self.assertEqual(
            self.mismatches(
                self.row, verdict_pb2.Verdict(conclusion=_Verdict.PASS)
            ),
            ["verdict: expected RESUME_DIVERGENCE, actual PASS"],
        )

    def test_a_row_that_some_runs_pass(self) -> None:
        row = dataclasses.replace(self.row, by_chance=(_Verdict.PASS,))
        self.assertEmpty(self.mismatches(row, _diverges()))
        self.assertEmpty(
            self.mismatches(row, verdict_pb2.Verdict(conclusion=_Verdict.PASS))
        )
        crash = verdict_pb2.Verdict(conclusion=_Verdict.CRASH)
        self.assertLen(self.mismatches(row, crash), 1)

    def test_another_iteration(self) -> None:
        self.assertEqual(
            self.mismatches(self.row, _diverges(first_bad_iteration=19)),
            [
                "first bad iteration: expected 17, the first of the resume, "
                "actual 19"
            ],
        )

    def test_a_row_that_is_wrong_later(self) -> None:
        row = dataclasses.replace(self.row, at_once=False)
        self.assertEmpty(
            self.mismatches(row, _diverges(first_bad_iteration=19))
        )

    def test_another_diagnosis(self) -> None:
        self.assertEqual(
            self.mismatches(
                clients.Row("case", "", self.row.conclusion), _diverges()
            ),
            ["not in the checkpoint: expected none, actual RANDOM_STREAMS"],
        )

    def test_another_culprit_at_depth_2(self) -> None:
        row = clients.Row("case", "", self.row.conclusion, first="batch")
        loss = verdict_pb2.Finding(metric=verdict_pb2.Metric(name="loss"))
        batch = verdict_pb2.Finding(metric=verdict_pb2.Metric(name="batch"))
        self.assertEmpty(
            list(client_run.mismatches(row, _diverges(findings=[batch]), 2))
        )
        self.assertEqual(
            list(client_run.mismatches(row, _diverges(findings=[loss]), 2)),
            ["first finding: expected batch, actual loss"],
        )


class RunTest(absltest.TestCase):
    def test_says_why_there_is_no_verdict(self) -> None:
        path = pathlib.Path(self.create_tempdir().full_path, "case.textproto")
        path.write_text('name: "case"')
        with self.assertRaisesRegex(
            client_run.NoVerdictError, "command is not set"
        ):
            client_run.run(str(path))


if __name__ == "__main__":
    absltest.main()
